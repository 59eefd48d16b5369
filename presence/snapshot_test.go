package presence

import (
	"testing"

	"weir/jid"
	"weir/sessionmgr"
	"weir/stanza"
)

// The tests of this file do by hand what otherwise happens within microseconds:
// something changes between the reading of a presence and its delivery.

func (h *house) submit(out []sessionmgr.Delivery) { h.Submit(sessionmgr.Entry{Out: out}) }

// TestRecheckSendsTheLatest: what a snapshot says is corrected, whatever overtook it.
func TestRecheckSendsTheLatest(t *testing.T) {
	h := verona(t)
	romeo := h.online("romeo@example.net/orchard")
	for _, tc := range []struct {
		name   string
		change func(*client)
		last   string // "" if the snapshot still holds
	}{
		{"nothing", func(*client) {}, ""},
		{"an update", func(c *client) { c.send("<presence><show>away</show></presence>") }, "<show>away</show>"},
		{"unavailable", func(c *client) { c.send("<presence type='unavailable'/>") }, "type='unavailable'"},
		{"the end", func(c *client) { c.end() }, "type='unavailable'"},
		{"the subscription ended", func(c *client) {
			h.unsubscribe("romeo@example.net", "juliet@example.com")
			h.submit(h.h.Gone(c.JID().Bare(), romeo.JID().Bare()))
		}, "type='unavailable'"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := h.online("juliet@example.com/balcony")
			snap := h.h.Current(c.JID().Bare(), romeo.JID().Bare())
			tc.change(c)
			romeo.clear()
			h.submit(snap.Out) // late
			h.h.Recheck(&snap)
			if tc.last == "" {
				romeo.want("from='juliet@example.com/balcony'")
			} else {
				romeo.want("from='juliet@example.com/balcony'", tc.last+" & from='juliet@example.com/balcony' to='romeo@example.net'")
			}
			h.h.Recheck(&snap)
			romeo.want()
			c.end()
		})
	}
}

// TestSnapshotSaysNothingThatIsOver: a snapshot that finds its place in the order
// behind what its sessions told themselves doesn't name who went, nor has it
// somebody leave who came.
func TestSnapshotSaysNothingThatIsOver(t *testing.T) {
	h := verona(t)
	romeo := h.online("romeo@example.net/orchard")
	const balcony = "juliet@example.com/balcony"
	juliet := jid.MustParse(balcony)
	gone := func(c *client) Snapshot { return h.h.Current(c.JID().Bare(), romeo.JID().Bare()) }
	nobody := func(at jid.JID) func(*client) Snapshot {
		return func(c *client) (snap Snapshot) {
			c.end()
			snap.without(romeo.Session, at)
			return snap
		}
	}
	for _, tc := range []struct {
		name   string
		read   func(*client) Snapshot
		change func(*client)
		want   []string
	}{
		{"who went", gone, func(c *client) { c.end() }, []string{"from='" + balcony + "' & type='unavailable'"}},
		{"whose successor is here", gone, func(c *client) { c.end(); h.online(balcony) }, nil},
		{"who came", nobody(juliet), func(*client) { h.online(balcony) }, []string{"from='" + balcony}},
		{"who came to the account", nobody(juliet.Bare()), func(*client) { h.online(balcony) }, []string{"from='" + balcony}},
		{"who is gone yet", nobody(juliet), func(*client) {}, []string{"from='" + balcony + "' & type='unavailable'"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := h.online(balcony)
			snap := tc.read(c)
			tc.change(c)
			romeo.clear()
			h.h.Submit(&snap)
			romeo.want(tc.want...)
			for _, s := range h.ByAccount(juliet.Bare()) {
				s.Link().(*client).end()
			}
		})
	}
}

// TestTakeBack: a broadcast that was on its way when a subscription ended is
// followed by a goodbye, and only to the one concerned.
func TestTakeBack(t *testing.T) {
	h := verona(t)
	romeo, mercutio := h.online("romeo@example.net/orchard"), h.online("mercutio@example.com/m")
	c := h.online("juliet@example.com/balcony")
	a := h.h.audience(c.JID().Bare())
	h.h.takeBack(a, c.Presence())
	romeo.clear()
	romeo.want()
	h.unsubscribe("romeo@example.net", "juliet@example.com")
	mercutio.clear()
	h.h.takeBack(a, c.Presence())
	romeo.want("<presence from='juliet@example.com/balcony' to='romeo@example.net' type='unavailable'")
	mercutio.want()
}

// TestEndedMeanwhile: a session that is ended while its presence is being
// handled leaves nobody behind who thinks that it is there.
func TestEndedMeanwhile(t *testing.T) {
	h := verona(t)
	romeo, nurse := h.online("romeo@example.net/orchard"), h.online("nurse@example.com/n")
	for _, to := range []string{"", " to='nurse@example.com'"} {
		c := h.bind("juliet@example.com/balcony")
		st, err := stanza.Parse([]byte("<presence" + to + "/>"))
		if err != nil {
			t.Fatal(err)
		}
		st = st.With(c.JID(), st.To)
		c.end()
		if err := h.h.FromClient(c.Context(), c.Session, st); err != nil {
			t.Fatal(err)
		}
		watcher := romeo
		if to != "" {
			watcher = nurse
		}
		watcher.want("from='juliet@example.com/balcony'", "from='juliet@example.com/balcony' & type='unavailable'")
		romeo.want()
		nurse.want()
	}
}
