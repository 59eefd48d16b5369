package mam

import (
	"testing"

	"weir/jid"
	"weir/stanza"
)

// FuzzQuery: what a client asks is either understood within the bounds or
// refused by a stanza error; nothing panics.
func FuzzQuery(f *testing.F) {
	for _, children := range []string{
		"", submitted(), submitted("with", "a@b", "start", stampOf(0), "end", stampOf(0)), submitted("ids", FormatID(1)),
		submitted("after-id", FormatID(1), "before-id", FormatID(9)), submitted("include-groupchat", "true"),
		rsm("<max>10</max>"), rsm("<before/>"), rsm("<after>" + FormatID(1) + "</after>"), rsm("<index>1</index>"), rsm("<max>-1</max>"),
		"<flip-page/>", "<x xmlns='jabber:x:data' type='submit'><field/></x>", "<set/>", "<x/>text",
	} {
		f.Add(children)
	}
	account := jid.MustParse(romeo)
	f.Fuzz(func(t *testing.T, children string) {
		iq, err := stanza.Parse([]byte("<iq type='set' id='1'><query xmlns='urn:xmpp:mam:2'>" + children + "</query></iq>"))
		if err != nil {
			return
		}
		q, err := parse(iq, account, 100)
		if err != nil {
			if _, ok := stanza.AsError(err); !ok {
				t.Fatalf("%s: %v", children, err)
			}
			return
		}
		if q.max < 0 || q.max > 100 || len(q.ids) > maxIDs || len(q.mentioned()) > maxIDs+4 || len(q.id) > maxQueryID {
			t.Fatalf("%s: %+v", children, q)
		}
		a := Archived{ID: 1, At: epoch, Stanza: iq}
		q.matches(&a)
	})
}

// FuzzID: ids are read back as they were written, and in no second way.
func FuzzID(f *testing.F) {
	f.Add("0000000000000000")
	f.Add("00000000000000ag")
	f.Fuzz(func(t *testing.T, s string) {
		if id, ok := ParseID(s); ok && FormatID(id) != s {
			t.Fatalf("%q is %d, which is %q", s, id, FormatID(id))
		}
	})
}
