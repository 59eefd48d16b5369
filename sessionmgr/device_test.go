package sessionmgr

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"weir/jid"
	"weir/stanza"
	"weir/storage"
)

// bindWith binds a session with stream management from the first stanza on.
func (c *client) bindWith(b *Binding, answered func(jid.JID)) error {
	return c.h.BindWith(context.Background(), c.Session, b, answered)
}

// TestAcksFromTheFirstStanza: what comes for a session from its binding on is
// numbered, however long the store takes to turn stream management on, and
// reaches the link behind the answer.
func TestAcksFromTheFirstStanza(t *testing.T) {
	h, g := newGatedHouse(t)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	juliet := h.connect("juliet@verona.lit")
	g.set(true, nil)
	before := -1
	b := &Binding{Resource: "balcony", Acks: &EnableRequest{Resume: true, Answer: func(Enabled) {
		juliet.mu.Lock()
		before = juliet.appended
		juliet.mu.Unlock()
	}}}
	bound, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- juliet.bindWith(b, func(jid.JID) { close(bound) }) }()
	<-bound
	for i := range 3 {
		romeo.send(fmt.Sprintf("<message to='juliet@verona.lit/balcony'><body>%d</body></message>", i))
		romeo.send(fmt.Sprintf("<message to='juliet@verona.lit/balcony' type='headline'><body>v%d</body></message>", i))
	}
	g.set(false, nil)
	if err := <-done; err != nil || b.Acks.Err != nil || b.Acks.Enabled.ID == "" {
		t.Fatalf("%v, %v", err, b.Acks.Err)
	}
	h.settle()
	if before != 0 {
		t.Errorf("%d stanzas came before the answer", before)
	}
	var out uint32
	h.inOrder(func() { out = juliet.sm.out })
	if out != 6 {
		t.Errorf("%d stanzas have a number, of 6", out)
	}
}

// TestAcksNotWithTheBinding: a disk that is full keeps stream management away, and
// the binding stands.
func TestAcksNotWithTheBinding(t *testing.T) {
	h, g := newGatedHouse(t)
	juliet := h.connect("juliet@verona.lit")
	g.set(false, fmt.Errorf("disk: %w", storage.ErrFull))
	b := &Binding{Resource: "balcony", Acks: &EnableRequest{Resume: true}}
	if err := juliet.bindWith(b, func(jid.JID) {}); err != nil {
		t.Fatal(err)
	}
	var e stanza.Error
	if !errors.As(b.Acks.Err, &e) || b.Acks.Enabled.ID != "" || juliet.State() != Bound {
		t.Errorf("%v, %v", b.Acks.Err, juliet.State())
	}
	g.set(false, nil)
}

// TestDeviceStays: a session keeps its device through a restart, and is of the
// device that resumes it.
func TestDeviceStays(t *testing.T) {
	h := newHouse(t)
	juliet := h.connect("juliet@verona.lit")
	phone := Device{ID: "k3fw7hq2mzt5bnvd", Software: "App", Name: "phone"}
	juliet.SetDevice(phone)
	b := &Binding{Resource: "balcony", Own: true, Acks: &EnableRequest{Resume: true}}
	if err := juliet.bindWith(b, func(jid.JID) {}); err != nil {
		t.Fatal(err)
	}
	snap := juliet.Snapshot()
	rec, err := snap.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if snap, err = UnmarshalSnapshot(rec); err != nil {
		t.Fatal(err)
	}
	again, err := snap.session(h.Manager)
	if err != nil || again.Device() != phone {
		t.Errorf("restored on %+v, %v", again.Device(), err)
	}
	juliet.cut()
	next := h.connect("juliet@verona.lit")
	laptop := Device{ID: "u8sn4vbe2xqgkz6y", Software: "Other"}
	next.SetDevice(laptop)
	var resumed *Session
	if err := h.Resume(context.Background(), next.Session, next, b.Acks.Enabled.ID, 0, func(s *Session, _ uint32) { resumed = s }); err != nil {
		t.Fatal(err)
	}
	if d := resumed.Describe(); d.Device != laptop.ID || d.Software != "Other" || d.JID != "juliet@verona.lit/balcony" {
		t.Errorf("%+v", d)
	}
}

// TestOneDeviceAtOnce: whatever the policy, and whatever tags they have, of several
// bindings of one device at once all succeed and one stays; none is refused for the
// others. Other devices' sessions stay.
func TestOneDeviceAtOnce(t *testing.T) {
	const others = 2
	account := jid.MustParse("juliet@verona.lit")
	for _, conflict := range []string{ConflictReplace, ConflictRefuse, ConflictRename} {
		for _, tags := range []int{1, 2, 8} {
			for round := range 10 {
				h := newHouse(t, func(o *Options) { o.Conflict = conflict })
				for i := range others {
					c := h.connect(account.String())
					c.SetDevice(Device{ID: fmt.Sprint("another", i)})
					if err := c.bindWith(&Binding{Resource: fmt.Sprint("another", i), Own: true}, func(jid.JID) {}); err != nil {
						t.Fatal(err)
					}
				}
				var all []*client
				for range 8 {
					c := h.connect(account.String())
					c.SetDevice(Device{ID: "k3fw7hq2mzt5bnvd"})
					all = append(all, c)
				}
				start := make(chan struct{})
				var wg sync.WaitGroup
				for i, c := range all {
					b := &Binding{Resource: fmt.Sprintf("tag%d/own", i%tags), Own: true}
					if (i+round)%2 == 0 {
						b.Acks = &EnableRequest{Resume: true}
					}
					wg.Go(func() {
						<-start
						if err := c.bindWith(b, func(jid.JID) {}); err != nil && c.Cause().Code != Replaced {
							t.Errorf("%s: %v", conflict, err)
						}
					})
				}
				close(start)
				wg.Wait()
				if n := len(h.ByAccount(account)); n != 1+others {
					t.Fatalf("%s, %d tags: %d sessions stay, with those of %d other devices", conflict, tags, n, others)
				}
				for _, c := range all {
					if st := c.State(); st != Bound && c.Cause().Code != Replaced {
						t.Errorf("one ended with %v", c.Cause())
					}
				}
			}
		}
	}
}
