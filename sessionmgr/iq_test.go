package sessionmgr

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"weir/jid"
	"weir/stanza"
)

// TestIQTable goes through RFC 6120 §8.2.3, §8.4, §10.3, §10.5 and RFC 6121
// §8.5: to whom, what, and what comes back.
func TestIQTable(t *testing.T) {
	const known, unknown = "<q xmlns='urn:test'/>", "<q xmlns='urn:else'/>"
	rows := []struct {
		name, to, typ, payload, want string // want: fragment for romeo, "" nothing, "deliver" to juliet
		guarded                      bool   // juliet's presence is no business of romeo's
	}{
		{"own account, no to", "", "get", known, "urn:answer & type='result'", false},
		{"own account, bare", "romeo@verona.lit", "get", known, "from='romeo@verona.lit' & urn:answer", false},
		{"own account, unknown", "", "get", unknown, "service-unavailable", false},
		{"server", "verona.lit", "get", known, "from='verona.lit' & urn:answer", false},
		{"server, unknown", "verona.lit", "set", unknown, "service-unavailable", false},
		{"server, not settable", "verona.lit", "set", known, "service-unavailable", false},
		{"server with a resource", "verona.lit/x", "get", known, "service-unavailable", false},
		{"account", "juliet@verona.lit", "get", known, "from='juliet@verona.lit' & urn:answer", false},
		{"account, unknown", "juliet@verona.lit", "get", unknown, "service-unavailable", false},
		{"account, a stranger", "juliet@verona.lit", "get", known, "service-unavailable", true},
		{"no such account", "nobody@verona.lit", "get", known, "service-unavailable", true},
		{"resource", "juliet@verona.lit/balcony", "get", unknown, "deliver", false},
		{"resource, a stranger", "juliet@verona.lit/balcony", "get", unknown, "service-unavailable", true},
		{"resource, a stranger's answer", "juliet@verona.lit/balcony", "result", "", "deliver", true},
		{"resource, a stranger's error", "juliet@verona.lit/balcony", "error", "", "deliver", true},
		{"no such resource", "juliet@verona.lit/cellar", "get", unknown, "service-unavailable", false},
		{"no such resource, answer", "juliet@verona.lit/cellar", "result", "", "", false},
		{"elsewhere", "far.away", "get", known, "remote-server-not-found", false},
		{"elsewhere, answer", "far.away", "result", "", "", false},
		{"answer to the server", "verona.lit", "result", "", "", false},
		{"handler refuses", "verona.lit", "get", "<q xmlns='urn:refuse'/>", "forbidden", false},
		{"handler fails", "verona.lit", "get", "<q xmlns='urn:fail'/>", "internal-server-error", false},
		{"handler panics", "verona.lit", "get", "<q xmlns='urn:panic'/>", "internal-server-error", false},
		{"handler blocks", "verona.lit", "get", "<q xmlns='urn:block'/>", "type='result'", false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			h := newHouse(t)
			handlers(h.Manager)
			h.GuardPresence(func(viewer, target jid.JID) bool { return !row.guarded })
			juliet := h.online("juliet@verona.lit/balcony", 0)
			romeo := h.online("romeo@verona.lit/orchard", 0)
			to := ""
			if row.to != "" {
				to = " to='" + row.to + "'"
			}
			romeo.send(fmt.Sprintf("<iq%s type='%s' id='i1'>%s</iq>", to, row.typ, row.payload))
			switch row.want {
			case "deliver":
				juliet.want("id='i1' & from='romeo@verona.lit/orchard'")
				romeo.want()
			case "":
				romeo.want()
				juliet.want()
			default:
				romeo.want(row.want + " & id='i1'")
				juliet.want()
			}
		})
	}
}

func handlers(m *Manager) {
	reply := func(err error) func(context.Context, *stanza.Stanza) (any, error) {
		return func(ctx context.Context, _ *stanza.Stanza) (any, error) {
			if _, ok := FromContext(ctx); !ok {
				return nil, errors.New("no session in the context")
			}
			return []byte("<a xmlns='urn:answer'/>"), err
		}
	}
	m.HandleIQ(IQHandler{NS: "urn:test", Local: "q", Scope: OnServer | OnSelf | OnAccount, Get: reply(nil)})
	m.HandleIQ(IQHandler{NS: "urn:refuse", Scope: OnServer, Get: reply(stanza.Forbidden())})
	m.HandleIQ(IQHandler{NS: "urn:fail", Scope: OnServer, Get: reply(errors.New("oh"))})
	m.HandleIQ(IQHandler{NS: "urn:block", Scope: OnServer, Blocking: true, Get: reply(nil), Silent: true})
	m.HandleIQ(IQHandler{NS: "urn:panic", Scope: OnServer, Get: func(context.Context, *stanza.Stanza) (any, error) { panic("oh") }})
}

// TestHandlerThatEndsItsGoroutine, as a test does that fails in a handler: the
// stanza is over, and its session ends.
func TestHandlerThatEndsItsGoroutine(t *testing.T) {
	h := newHouse(t)
	h.HandleIQ(IQHandler{NS: "urn:left", Scope: OnServer, Blocking: true, Get: func(context.Context, *stanza.Stanza) (any, error) {
		runtime.Goexit()
		return nil, nil
	}})
	c := h.bind("juliet@verona.lit/balcony")
	c.send("<iq type='get' to='verona.lit' id='1'><q xmlns='urn:left'/></iq>") // comes back
	if c.State() != Destroyed || c.Cause().Code != Internal {
		t.Errorf("%s, %s", c.State(), c.Cause())
	}
}

func TestFeaturesAreWhatIsRegistered(t *testing.T) {
	h := newHouse(t)
	handlers(h.Manager)
	h.Advertise(OnServer, "msgoffline")
	h.Advertise(OnServer, "msgoffline")
	if got := fmt.Sprint(h.Features(OnServer)); got != "[msgoffline urn:fail urn:panic urn:refuse urn:test]" {
		t.Errorf("server: %s", got)
	}
	if got := fmt.Sprint(h.Features(OnSelf)); got != "[urn:test]" {
		t.Errorf("own account: %s", got)
	}
	defer func() {
		if recover() == nil {
			t.Error("a second handler was taken")
		}
	}()
	h.HandleIQ(IQHandler{NS: "urn:test", Local: "q", Scope: OnServer})
}

func TestPresenceElsewhere(t *testing.T) {
	h := newHouse(t)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	for typ, answered := range map[string]bool{"": true, "subscribe": true, "unavailable": false, "unsubscribed": false, "error": false} {
		attr := ""
		if typ != "" {
			attr = " type='" + typ + "'"
		}
		romeo.send("<presence to='a@far.away'" + attr + " id='p'/>")
		if got := romeo.got(); (len(got) == 1) != answered {
			t.Errorf("%q: %v", typ, got)
		}
	}
}
