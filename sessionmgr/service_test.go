package sessionmgr

import (
	"context"
	"strings"
	"sync"
	"testing"

	"weir/jid"
	"weir/stanza"
)

// rooms is a service that keeps what it takes; while it refuses it takes nothing.
type rooms struct {
	mu     sync.Mutex
	got    []string
	refuse bool
}

func (r *rooms) Ready() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refuse {
		return stanza.ServiceUnavailable()
	}
	return nil
}

func (r *rooms) Deliver(st *stanza.Stanza) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refuse {
		return stanza.ServiceUnavailable()
	}
	r.got = append(r.got, string(st.AppendTo(nil)))
	return nil
}

func (r *rooms) take() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := strings.Join(r.got, "\n")
	r.got = nil
	return all
}

// TestService: what is for a domain with a service goes there, answers and errors for it
// too, and the sender's other devices have copies of messages.
func TestService(t *testing.T) {
	h := newHouse(t)
	muc := &rooms{}
	h.HandleService("muc.lit", muc)
	juliet := h.online("juliet@verona.lit/balcony", 0)
	phone := h.bind("juliet@verona.lit/phone")
	phone.copies()
	juliet.send("<message to='room@muc.lit' type='chat'><body>one</body></message>")
	h.settle()
	if got := muc.take(); !strings.Contains(got, "from='juliet@verona.lit/balcony' to='room@muc.lit'") {
		t.Errorf("the service got %s", got)
	}
	phone.want("<sent & one")
	juliet.send("<iq type='get' id='i1' to='muc.lit'><ping xmlns='urn:xmpp:ping'/></iq>")
	juliet.send("<message to='room@elsewhere.lit' id='m1'><body>two</body></message>")
	juliet.want("id='m1' & <remote-server-not-found")
	if got := muc.take(); !strings.Contains(got, "id='i1'") {
		t.Errorf("the service got %s", got)
	}
	muc.refuse = true
	juliet.send("<message to='room@muc.lit' id='m2' type='chat'><body>three</body></message>")
	juliet.want("id='m2' & <service-unavailable")
	juliet.send("<presence to='room@muc.lit/j'/>") // nobody is told
	muc.refuse = false

	from := func(xml string) {
		t.Helper()
		st, err := stanza.Parse([]byte(xml))
		if err != nil {
			t.Fatal(err)
		}
		if err := h.FromService(context.Background(), st); err != nil {
			t.Fatal(err)
		}
		h.settle()
	}
	from("<iq from='muc.lit' to='juliet@verona.lit/balcony' type='result' id='i1'/>")
	juliet.want("from='muc.lit' & id='i1'")
	from("<message from='room@muc.lit/r' to='nobody@verona.lit' id='m3'><body>four</body></message>")
	if got := muc.take(); !strings.Contains(got, "id='m3' type='error'") || !strings.Contains(got, "to='room@muc.lit/r'") {
		t.Errorf("the service got %s", got)
	}
	from("<iq from='muc.lit' to='verona.lit' type='get' id='i2'><nothing xmlns='x'/></iq>")
	if got := muc.take(); !strings.Contains(got, "id='i2' type='error'") {
		t.Errorf("the service got %s", got)
	}
	from("<message from='room@muc.lit/r' to='juliet@verona.lit' type='chat'><body>five</body></message>")
	juliet.want("<body>five")
	if h.HasService("verona.lit") || !h.HasService("muc.lit") {
		t.Error("services are known wrongly")
	}
	h.ToService(&stanza.Stanza{Kind: stanza.Presence, From: jid.MustParse("a@verona.lit"), To: jid.MustParse("a@elsewhere.lit")})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("a second service for a domain is no mistake")
			}
		}()
		h.HandleService("muc.lit", muc)
	}()
}
