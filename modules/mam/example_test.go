package mam_test

import (
	"context"
	"fmt"
	"time"

	"weir/jid"
	"weir/modules/mam"
	"weir/sessionmgr/sessiontest"
	"weir/stanza"
)

func Example() {
	h := sessiontest.New()
	defer h.Close()
	st, _ := stanza.Parse([]byte("<message from='romeo@verona.lit/orchard' to='juliet@verona.lit'><body>hi</body></message>"))
	mam.New(h.Manager, archive{mam.Archived{ID: 7, At: time.Date(2010, 7, 10, 23, 8, 25, 0, time.UTC), Stanza: st}}, mam.Options{})
	juliet := h.Bind("juliet@verona.lit/balcony")
	juliet.Send("<iq type='set' id='1'><query xmlns='urn:xmpp:mam:2'/></iq>")
	for _, got := range juliet.Got() {
		fmt.Println(got)
	}
	// Output:
	// <message from='juliet@verona.lit' to='juliet@verona.lit/balcony'><result xmlns='urn:xmpp:mam:2' id='0000000000000007'><forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' stamp='2010-07-10T23:08:25.000Z'/><message xmlns='jabber:client' from='romeo@verona.lit/orchard' to='juliet@verona.lit'><body>hi</body></message></forwarded></result></message>
	// <iq to='juliet@verona.lit/balcony' id='1' type='result'><fin xmlns='urn:xmpp:mam:2' complete='true'><set xmlns='http://jabber.org/protocol/rsm'><first index='0'>0000000000000007</first><last>0000000000000007</last><count>1</count></set></fin></iq>
}

// archive is one that has a single message.
type archive struct{ only mam.Archived }

func (a archive) Archived(_ context.Context, _ jid.JID, after uint64, fn func(mam.Archived) bool) error {
	if a.only.ID > after {
		fn(a.only)
	}
	return nil
}

func (a archive) ArchivedBefore(_ context.Context, _ jid.JID, before uint64, fn func(mam.Archived) bool) error {
	if a.only.ID < before {
		fn(a.only)
	}
	return nil
}

func (archive) FirstArchivedAt(time.Time) uint64 { return 0 }

func (archive) ArchivePrefs(context.Context, jid.JID) (mam.Prefs, error) { return mam.Prefs{}, nil }

func (archive) SetArchivePrefs(context.Context, jid.JID, mam.Prefs) error { return nil }
