package component

import (
	"context"
	"fmt"
	"strings"
	"time"

	"weir/jid"
	"weir/sessionmgr"
	"weir/stanza"
	"weir/storage"
)

// What a component has shown outlives a crash on the screens of those whose sessions
// do: their clients resume, and nobody told them that it has gone. So whom it shows an
// address to is in the store before that is seen. After a start the component has a
// while to come back, and then a while to show again what it shows; what it hasn't
// shown by then is taken back.

const (
	tableShown   = "component.shown" // Map: of a component's domain, the sights
	shownVersion = 1
)

// takeAtOnce is how many sights are taken back before the component may go on.
const takeAtOnce = 100

// sights are those of all components in the store.
type sights struct {
	m       *sessionmgr.Manager
	store   storage.Store
	records storage.Map
}

// item is the key of a sight. No address has a line feed.
func (x sight) item() string { return x.from.String() + "\n" + x.to.String() }

func parseSight(item string) (x sight, ok bool) {
	from, to, _ := strings.Cut(item, "\n")
	var err, e error
	x.from, err = jid.Parse(from)
	x.to, e = jid.Parse(to)
	return x, err == nil && e == nil
}

// CheckRecord reports whether a record of what components have shown can be read; nil for
// those of other tables. item is that of its storage.Key. It is for those who check a store.
func CheckRecord(table, item string, rec []byte) error {
	if _, ok := parseSight(item); table == tableShown && (!ok || len(rec) != 1 || rec[0] != shownVersion) {
		return fmt.Errorf("component: the record of what was shown can't be read: %q", item)
	}
	return nil
}

// kept reports whether there is somebody who could remember what it saw.
func (k *sights) kept() bool { return k.m.LongestAbsence() > 0 }

// put keeps sights of a domain, and waits for that.
func (k *sights) put(ctx context.Context, domain string, all []sight) error {
	var b storage.Batch
	for _, x := range all {
		k.records.Put(&b, domain, x.item(), []byte{shownVersion})
	}
	return storage.Commit(ctx, k.store, &b)
}

// drop forgets sights of a domain; it waits for nothing. What can't be written is
// taken back once more after a restart, which does no harm.
func (k *sights) drop(domain string, all []sight) {
	if len(all) == 0 {
		return
	}
	b := new(storage.Batch)
	for _, x := range all {
		k.records.Delete(b, domain, x.item())
	}
	k.store.Commit(b, func(error) {})
}

// clear forgets all sights of a domain.
func (k *sights) clear(domain string) {
	b := new(storage.Batch)
	k.records.Clear(b, domain)
	k.store.Commit(b, func(error) {})
}

// Start reads what components had shown when the process before ended, to sessions that
// are here again: those that don't show it again in time take it back. Call it when
// sessions are restored, and before the listener opens.
func (srv *Server) Start(ctx context.Context) error {
	names, err := srv.sights.records.Table().AccountNames(ctx, srv.sights.store)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := srv.read(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (srv *Server) read(ctx context.Context, name string) error {
	d, wait := srv.domains[name], srv.o.ReturnTime
	if d == nil { // it is in the file no more: nobody will come
		d, wait = srv.newDomain(name, ""), 0
	}
	left := map[sight]struct{}{}
	gone := new(storage.Batch)
	err := srv.sights.records.All(ctx, name, func(item string, _ []byte) bool {
		if x, ok := parseSight(item); ok && srv.remembers(x.to) {
			left[x] = struct{}{}
		} else {
			srv.sights.records.Delete(gone, name, item)
		}
		return true
	})
	if err != nil {
		return err
	}
	if len(left) == 0 {
		srv.sights.clear(name)
		return nil
	}
	if gone.Len() > 0 {
		srv.sights.store.Commit(gone, func(error) {})
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left = left
	d.due = time.AfterFunc(wait, d.expire)
	return nil
}

// remembers reports whether there is a session that may have seen what was shown to an
// address.
func (srv *Server) remembers(to jid.JID) bool {
	if to.IsFull() {
		return srv.m.ByJID(to) != nil
	}
	return len(srv.m.ByAccount(to)) > 0
}

// hasLeft reports whether a process before has left a sight.
func (d *domain) hasLeft(x sight) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, has := d.left[x]
	return has
}

// decided takes a sight out of those that a process before has left, since the component
// says itself what holds of it.
func (s *Stream) decided(st *stanza.Stanza) {
	if st.Kind != stanza.Presence || st.Type != typeAvailable && st.Type != typeUnavailable {
		return
	}
	x, d := sight{st.From, st.To}, s.domain
	d.mu.Lock()
	_, had := d.left[x]
	delete(d.left, x)
	d.mu.Unlock()
	if had && st.Type == typeUnavailable {
		s.shown.ended = append(s.shown.ended, x)
	}
}

// takeLeft takes out of what a process before has left, up to a number of sights.
func (d *domain) takeLeft(most int) (some []sight) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for x := range d.left {
		if len(some) == most {
			break
		}
		delete(d.left, x)
		some = append(some, x)
	}
	return some
}

// expire takes back what the component has not shown again.
func (d *domain) expire() {
	srv, n := d.srv, 0
	for {
		if !d.begin(srv.run) { // between two of what it sends itself
			return
		}
		some := d.takeLeft(takeAtOnce)
		for _, x := range some {
			srv.unsee(srv.run, d.name, x)
		}
		if srv.run.Err() == nil {
			srv.sights.drop(d.name, some)
		}
		d.done()
		if n += len(some); len(some) == 0 {
			break
		}
	}
	if n > 0 {
		srv.o.Log.Info("presence of a component is taken back: it has not shown it again since the start", "domain", d.name, "presences", n)
	}
}

// unsee tells who saw an address of the component that it has gone.
func (srv *Server) unsee(ctx context.Context, name string, x sight) {
	st := &stanza.Stanza{Kind: stanza.Presence, Type: typeUnavailable, From: x.from, To: x.to}
	if err := srv.m.FromService(ctx, st); err != nil && ctx.Err() == nil {
		srv.o.Log.Error("presence of a component stays", "domain", name, "err", err)
	}
}

// begin gives the right to route in the component's name, one at a time, until done is
// called. False: ctx has ended.
func (d *domain) begin(ctx context.Context) bool {
	select {
	case d.turn <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	if ctx.Err() != nil {
		d.done()
		return false
	}
	return true
}

func (d *domain) done() { <-d.turn }

// keepFresh has the store know what the component is about to show for the first time.
func (s *Stream) keepFresh(all []*stanza.Stanza) {
	if !s.srv.sights.kept() {
		return
	}
	var fresh []sight
	for _, st := range all {
		x := sight{st.From, st.To}
		if st.Kind != stanza.Presence || st.Type != typeAvailable || s.shown.has(x) || !s.srv.m.Local(x.to.Domain()) {
			continue
		}
		if len(s.shown.all)+len(fresh) < s.shown.most && !s.domain.hasLeft(x) {
			fresh = append(fresh, x)
		}
	}
	if len(fresh) == 0 {
		return
	}
	if err := s.srv.sights.put(s.work, s.domain.name, fresh); err != nil && s.work.Err() == nil {
		s.srv.o.Log.Error("what a component shows can't be kept: after a crash it stays seen", "domain", s.domain.name, "err", err)
	}
}
