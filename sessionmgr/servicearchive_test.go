package sessionmgr

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"weir/jid"
	"weir/stanza"
	"weir/storage"
)

// archivedBodies are the bodies of what an account's archive has as sent, and as received.
func (h *house) archivedBodies(account string) (sent, received string) {
	h.t.Helper()
	h.settle()
	err := h.Archived(h.t.Context(), jid.MustParse(account), 0, func(a Archived) bool {
		_, body, _ := strings.Cut(string(a.Stanza.AppendTo(nil)), "<body>")
		body, _, _ = strings.Cut(body, "</body>")
		if a.Outgoing {
			sent += body + " "
		} else {
			received += body + " "
		}
		return true
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return strings.TrimSpace(sent), strings.TrimSpace(received)
}

// TestServiceInArchive: what an account sends to a service and gets from one is in its
// archive by the same rules as between accounts; the service is told no id of it, and what
// it did not take is in none.
func TestServiceInArchive(t *testing.T) {
	h := newHouse(t, func(o *Options) { o.Archive = ArchiveAlways })
	muc := &rooms{}
	h.HandleService("muc.lit", muc)
	juliet := h.online("juliet@verona.lit/balcony", 0)
	phone, plain := h.bind("juliet@verona.lit/phone"), h.bind("juliet@verona.lit/plain")
	id := phone.enable()
	phone.copies()
	juliet.send("<message to='room@muc.lit' id='m1' type='chat'><body>one</body><stanza-id xmlns='urn:xmpp:sid:0' by='juliet@verona.lit' id='forged'/></message>")
	if got := muc.take(); !strings.Contains(got, "<body>one") || strings.Contains(got, "stanza-id") {
		t.Errorf("the service got %s", got)
	}
	phone.want("<sent & one & <stanza-id xmlns='urn:xmpp:sid:0' by='juliet@verona.lit'")
	phone.cut()
	juliet.send("<message to='room@muc.lit/r' type='chat'><body>two</body></message>")
	for _, x := range []string{"type='groupchat'><body>a", "type='headline'><body>b", "type='chat'><no-store xmlns='urn:xmpp:hints'/><body>c",
		"type='chat'><no-permanent-store xmlns='urn:xmpp:hints'/><body>d", "type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/><body>e"} {
		end := "</body></message>"
		if strings.HasSuffix(x, "e") {
			x, end = strings.TrimSuffix(x, "<body>e"), "</message>"
		}
		juliet.send("<message to='room@muc.lit' " + x + end)
	}
	muc.refuse = true
	juliet.send("<message to='room@muc.lit' type='chat'><body>refused</body></message>")
	juliet.want("<service-unavailable")
	muc.refuse = false
	plain.send("<message to='muc.lit' type='chat'><body>three</body></message>")
	st, err := stanza.Parse([]byte("<message from='room@muc.lit/r' to='juliet@verona.lit/balcony' type='chat'><body>four</body></message>"))
	if err == nil {
		err = h.FromService(context.Background(), st)
	}
	if err != nil {
		t.Fatal(err)
	}
	juliet.want("four & <stanza-id")
	again := h.mustResume("juliet@verona.lit", id, 1)
	again.want("<sent & two", "<sent & d", "<sent & three", "<received & four")
	if sent, received := h.archivedBodies("juliet@verona.lit"); sent != "one two three" || received != "four" {
		t.Errorf("sent %q, received %q", sent, received)
	}
	if story, err := h.ExplainMessage(t.Context(), juliet.JID().Bare(), "m1"); err != nil || !story.Outgoing || !strings.Contains(story.Elsewhere, "component of muc.lit") {
		t.Errorf("%+v, %v", story, err)
	}

	if err := h.SetArchivePrefs(t.Context(), juliet.JID().Bare(), ArchivePrefs{Default: ArchiveAlways, Never: []jid.JID{jid.MustParse("room@muc.lit")}}); err != nil {
		t.Fatal(err)
	}
	juliet.send("<message to='room@muc.lit/r' type='chat'><body>five</body></message>")
	juliet.send("<message to='muc.lit' type='chat'><body>six</body></message>")
	if sent, _ := h.archivedBodies("juliet@verona.lit"); sent != "one two three six" {
		t.Errorf("sent %q, with a room that is never archived", sent)
	}
}

// TestServiceOnAFullDisk: what a service has is not bounced since the archive has no room
// for it, and it counts.
func TestServiceOnAFullDisk(t *testing.T) {
	h, g := newGatedHouse(t)
	if err := h.SetArchivePrefs(t.Context(), jid.MustParse("juliet@verona.lit"), ArchivePrefs{Default: ArchiveAlways}); err != nil {
		t.Fatal(err)
	}
	muc := &rooms{}
	h.HandleService("muc.lit", muc)
	juliet := h.bind("juliet@verona.lit/balcony")
	juliet.enable()
	juliet.send("<message to='room@muc.lit' type='chat'><body>one</body></message>")
	g.set(false, fmt.Errorf("disk: %w", storage.ErrFull))
	juliet.send("<message to='room@muc.lit' type='chat'><body>two</body></message>")
	h.until(func() (quiet bool) {
		h.inOrder(func() { quiet = h.pipe.idle() })
		return quiet
	})
	g.set(false, nil)
	juliet.send("<message to='room@muc.lit' type='chat'><body>three</body></message>")
	juliet.want()
	if got := muc.take(); strings.Count(got, "<body>") != 3 {
		t.Errorf("the service got %s", got)
	}
	if sent, _ := h.archivedBodies("juliet@verona.lit"); sent != "one three" {
		t.Errorf("sent %q", sent)
	}
	if juliet.Handled() != 3 {
		t.Errorf("%d are handled", juliet.Handled())
	}
}

// TestServiceResent: what a client sends again that could not resume its stream is in the
// archive once, and the service gets it once.
func TestServiceResent(t *testing.T) {
	h := newHouse(t, func(o *Options) { o.Archive = ArchiveAlways })
	muc := &rooms{}
	h.HandleService("muc.lit", muc)
	const m = "<message to='room@muc.lit' type='chat' id='m1'><body>one</body><origin-id xmlns='urn:xmpp:sid:0' id='m1'/></message>"
	before := h.bind("juliet@verona.lit/balcony")
	before.enable()
	before.send(m)
	h.settle()
	after := h.bind("juliet@verona.lit/street")
	after.send(m)
	if got := muc.take(); strings.Count(got, "<body>one") != 1 {
		t.Errorf("the service got %s", got)
	}
	if sent, _ := h.archivedBodies("juliet@verona.lit"); sent != "one" {
		t.Errorf("sent %q", sent)
	}
}
