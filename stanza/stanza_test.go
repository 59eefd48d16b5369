package stanza

import (
	"slices"
	"strings"
	"testing"
	"unsafe"

	"weir/jid"
	"weir/xmlstream"
)

// message is an ordinary one of about 300 bytes.
const message = `<message to='romeo@example.net/orchard' id='7f1c8f3a-0c2e-4c4b-9d7e-5b8f0c1d2e3f' type='chat' from='forged@example.com'>` +
	`<body>Art thou not Romeo, and a Montague? &amp; more words to make it ordinary</body>` +
	`<active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/></message>`

var (
	juliet = jid.MustParse("juliet@example.com/balcony")
	romeo  = jid.MustParse("romeo@example.net/orchard")
)

// onStream gives do the token of xml as it comes on a client stream, whose
// header binds some prefixes, as no good client does.
func onStream(t testing.TB, xml string, do func(*xmlstream.Token)) {
	t.Helper()
	var sc xmlstream.Scanner
	defer sc.Release()
	sc.Reset(xmlstream.Limits{})
	const header = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' xmlns:far='urn:far'>"
	if _, _, err := sc.Next([]byte(header)); err != nil {
		t.Fatal(err)
	}
	tok, n, err := sc.Next([]byte(xml))
	if err != nil || tok.Kind != xmlstream.Element || n != len(xml) {
		t.Fatalf("%s: kind %v, %d of %d bytes, %v", xml, tok.Kind, n, len(xml), err)
	}
	do(&tok)
}

// receive is what c2s does with an element.
func receive(t testing.TB, xml string) (s *Stanza, err error) {
	t.Helper()
	onStream(t, xml, func(tok *xmlstream.Token) { s, err = FromToken(tok, juliet, "") })
	return s, err
}

// must is receive for what is accepted.
func must(t testing.TB, xml string) *Stanza {
	t.Helper()
	s, err := receive(t, xml)
	if err != nil {
		t.Fatalf("%s: %v", xml, err)
	}
	return s
}

func text(s *Stanza) string { return string(s.AppendTo(nil)) }

func TestFromToken(t *testing.T) {
	s := must(t, message)
	if s.Kind != Message || s.Type != "chat" || s.ID != "7f1c8f3a-0c2e-4c4b-9d7e-5b8f0c1d2e3f" ||
		s.From != juliet || s.To != romeo || s.Lang != "" {
		t.Errorf("read as %+v", s)
	}
	want := `<message from='juliet@example.com/balcony' to='romeo@example.net/orchard'` +
		` id='7f1c8f3a-0c2e-4c4b-9d7e-5b8f0c1d2e3f' type='chat'>` +
		`<body>Art thou not Romeo, and a Montague? &amp; more words to make it ordinary</body>` +
		`<active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/></message>`
	if got := text(s); got != want {
		t.Errorf("written as\n%s\nwant\n%s", got, want)
	}
	if n := s.Size(); n < len(want) || n > len(want)+64 {
		t.Errorf("Size is %d, AppendTo wrote %d", n, len(want))
	}
}

// TestKeepsNothing holds that a stanza has no part of the buffer it came from.
func TestKeepsNothing(t *testing.T) {
	buf := []byte(message)
	var s *Stanza
	var sc xmlstream.Scanner
	tok, err := scan(&sc, buf)
	if err != nil {
		t.Fatal(err)
	}
	if s, err = FromToken(&tok, juliet, "en"); err != nil {
		t.Fatal(err)
	}
	before := text(s)
	sc.Release()
	for i := range buf {
		buf[i] = 'X'
	}
	if text(s) != before || s.Payload().Local != "body" {
		t.Errorf("changed with the buffer: %s", text(s))
	}
}

// TestApart holds that an address or id that someone keeps doesn't keep a large
// stanza in memory.
func TestApart(t *testing.T) {
	s := must(t, `<message id='abc' to='romeo@example.net'><body>`+strings.Repeat("x", 4096)+`</body></message>`)
	inner := uintptr(unsafe.Pointer(unsafe.StringData(s.c.inner)))
	for name, v := range map[string]string{"ID": s.ID, "To": s.To.String()} {
		if at := uintptr(unsafe.Pointer(unsafe.StringData(v))); at >= inner && at < inner+8192 {
			t.Errorf("%s lies in the bytes of the stanza", name)
		}
	}
	if s.ID != "abc" || s.To != romeo.Bare() {
		t.Errorf("%q to %v", s.ID, s.To)
	}
}

func TestTypes(t *testing.T) {
	for _, c := range []struct{ in, typ, out string }{
		// RFC 6121 §5.2.2
		{`<message/>`, "normal", `<message from='juliet@example.com/balcony'/>`},
		{`<message type='normal'/>`, "normal", `<message from='juliet@example.com/balcony' type='normal'/>`},
		{`<message type='strange'/>`, "normal", `<message from='juliet@example.com/balcony' type='normal'/>`},
		{`<message type=''></message>`, "normal", `<message from='juliet@example.com/balcony' type='normal'/>`},
		{`<message type='chat'/>`, "chat", ``}, {`<message type='headline'/>`, "headline", ``},
		{`<message type='groupchat'/>`, "groupchat", ``}, {`<message type='error'/>`, "error", ``},
		// RFC 6121 §4.7.1
		{`<presence/>`, "", `<presence from='juliet@example.com/balcony'/>`},
		{`<presence type='unavailable'/>`, "unavailable", ``}, {`<presence type='subscribe'/>`, "subscribe", ``},
		{`<presence type='subscribed'/>`, "subscribed", ``}, {`<presence type='unsubscribe'/>`, "unsubscribe", ``},
		{`<presence type='unsubscribed'/>`, "unsubscribed", ``}, {`<presence type='probe'/>`, "probe", ``},
		{`<presence type='error'/>`, "error", ``},
		// RFC 6120 §8.2.3
		{`<iq id='1' type='get'><ping xmlns='urn:xmpp:ping'/></iq>`, "get", ``},
		{`<iq id='1' type='set'><a xmlns='b'/></iq>`, "set", ``},
		{`<iq id='1' type='result'/>`, "result", `<iq from='juliet@example.com/balcony' id='1' type='result'/>`},
		{`<iq id='1' type='error'/>`, "error", ``},
	} {
		s := must(t, c.in)
		if s.Type != c.typ {
			t.Errorf("%s has type %q, want %q", c.in, s.Type, c.typ)
		}
		if got := text(s); c.out != "" && got != c.out {
			t.Errorf("%s is written as %s", c.in, got)
		}
	}
}

func TestRefusals(t *testing.T) {
	long := string(make1024())
	for _, c := range []struct{ in, condition, reply string }{
		{`<presence type='available'/>`, "bad-request", `<presence to='juliet@example.com/balcony' type='error'>`},
		{`<presence type=''/>`, "bad-request", ``},
		{`<iq id='1'><a xmlns='b'/></iq>`, "bad-request", `<iq to='juliet@example.com/balcony' id='1' type='error'>`},
		{`<iq id='1' type='gets' to='example.net'><a xmlns='b'/></iq>`, "bad-request",
			`<iq from='example.net' to='juliet@example.com/balcony' id='1' type='error'>`},
		{`<iq type='get'><a xmlns='b'/></iq>`, "bad-request", `<iq to='juliet@example.com/balcony' id='' type='error'>`},
		{`<iq id='' type='get'><a xmlns='b'/></iq>`, "bad-request", ``},
		{`<iq id='1' type='get'/>`, "bad-request", ``},
		{`<iq id='1' type='set'><a xmlns='b'/><c xmlns='d'/></iq>`, "bad-request", ``},
		{`<message to='@' id='x'/>`, "jid-malformed", `<message to='juliet@example.com/balcony' id='x' type='error'>`},
		{`<message to=''/>`, "jid-malformed", ``},
		{`<presence to='a@b/' type='what'/>`, "jid-malformed", ``},
		{`<iq id='1' type='get' to='a b@c'><a xmlns='b'/></iq>`, "jid-malformed", ``},
		{`<message id='` + long + `'/>`, "bad-request", `<message to='juliet@example.com/balcony' id='` + long},
		{`<message xml:lang='` + long + `'/>`, "bad-request", ``},
	} {
		s, err := receive(t, c.in)
		e, ok := AsError(err)
		if !ok || string(e.Condition) != c.condition || s == nil {
			t.Errorf("%.60s: %v, %v, want %s and a stanza", c.in, s, err, c.condition)
			continue
		}
		if e.Condition == "jid-malformed" && !s.To.IsZero() {
			t.Errorf("%.60s: to is %v", c.in, s.To)
		}
		reply := s.ErrorReply(e)
		if reply == nil {
			t.Errorf("%.60s: no reply", c.in)
			continue
		}
		if got := text(reply); c.reply != "" && (len(got) < len(c.reply) || got[:len(c.reply)] != c.reply) {
			t.Errorf("%.60s is answered by %s", c.in, got)
		}
	}
	// What may not be answered is refused all the same.
	s, err := receive(t, `<iq id='1' type='result'><a xmlns='b'/><c xmlns='d'/></iq>`)
	if e, ok := AsError(err); !ok || s.ErrorReply(e) != nil {
		t.Errorf("a result of two children: %v, answered by %v", err, s.ErrorReply(e))
	}
}

func make1024() []byte {
	b := make([]byte, 1024)
	for i := range b {
		b[i] = 'a'
	}
	return b
}

func TestNotStanza(t *testing.T) {
	for _, in := range []string{`<r xmlns='urn:xmpp:sm:3'/>`, `<message xmlns='urn:other'/>`, `<messages/>`} {
		if s, err := receive(t, in); s != nil || err != ErrNotStanza {
			t.Errorf("%s: %v, %v", in, s, err)
		}
	}
}

// TestLang is RFC 6120 §8.1.5: the stream's language is added, none is changed.
func TestLang(t *testing.T) {
	for in, want := range map[string]string{
		`<message/>`:                        `<message from='juliet@example.com/balcony' xml:lang='de'/>`,
		`<message xml:lang='cs'/>`:          `<message from='juliet@example.com/balcony' xml:lang='cs'/>`,
		`<message lang='x' xml:lang='cs'/>`: `<message from='juliet@example.com/balcony' xml:lang='cs' lang='x'/>`,
	} {
		onStream(t, in, func(tok *xmlstream.Token) {
			s, err := FromToken(tok, juliet, "de")
			if err != nil || text(s) != want {
				t.Errorf("%s: %v, %s", in, err, text(s))
			}
		})
	}
}

func TestWith(t *testing.T) {
	s := must(t, message)
	v := s.With(romeo, juliet.Bare())
	if v.From != romeo || v.To != juliet.Bare() || s.From != juliet || s.To != romeo {
		t.Errorf("With gave %v to %v, and left %v to %v", v.From, v.To, s.From, s.To)
	}
	if v.With(juliet, romeo); text(v.With(juliet, romeo)) != text(s) {
		t.Error("there and back is not the same")
	}
	awkward, err := juliet.WithResource(`<'&">`)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Parse([]byte(text(s.With(awkward, awkward)))); err != nil || got.From != awkward || got.To != awkward {
		t.Errorf("an awkward resource came back as %+v, %v", got, err)
	}
}

func TestZeroValue(t *testing.T) {
	s := Stanza{Kind: Presence, From: juliet}
	if text(&s) != `<presence from='juliet@example.com/balcony'/>` || s.HasChild(NSClient, "x") || s.Child(NSClient, "x") != nil {
		t.Errorf("without content: %s", text(&s))
	}
	if got := text(s.WithChild([]byte("<priority>1</priority>"))); got != `<presence from='juliet@example.com/balcony'><priority>1</priority></presence>` {
		t.Errorf("with a child: %s", got)
	}
}

// TestKept: what is kept for long is the same stanza, with and without variants
// made of it.
func TestKept(t *testing.T) {
	for _, xml := range []string{
		"<presence from='juliet@verona.lit/balcony'/>",
		"<presence xml:lang='it' id='1' from='juliet@verona.lit/balcony'><show>away</show><priority>1</priority></presence>",
		"<message type='chat' x:a='b' xmlns:x='y'><body>a</body><b xmlns='c'/><d xmlns='e'/><f xmlns='g'/><h xmlns='i'>j</h></message>",
	} {
		st, err := Parse([]byte(xml))
		if err != nil {
			t.Fatal(err)
		}
		st = st.WithChild([]byte("<k xmlns='l'/>"))
		kept := st.Kept()
		if got, want := string(kept.AppendTo(nil)), string(st.AppendTo(nil)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if got, want := slices.Collect(kept.Names()), slices.Collect(st.Names()); !slices.Equal(got, want) {
			t.Errorf("children %v, want %v", got, want)
		}
		if got, want := string(kept.With(st.From, st.To).WithChild([]byte("<m xmlns='n'/>")).AppendTo(nil)), string(st.WithChild([]byte("<m xmlns='n'/>")).AppendTo(nil)); got != want {
			t.Errorf("variant %s, want %s", got, want)
		}
	}
}
