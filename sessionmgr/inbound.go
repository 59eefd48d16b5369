package sessionmgr

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"weir/stanza"
	"weir/storage"

	"mellium.im/xmpp/stream"
)

// Inbound takes one stanza of a bound session that came by a link: its from is
// stamped with the full JID and its form was checked. If it returns true the
// stream stops reading until resume has been called: once, from any goroutine,
// perhaps before Inbound returns. Otherwise resume is never called.
//
// A stanza of a link that the session has left by a resumption is dropped and
// not counted: its client sends it again.
func (m *Manager) Inbound(s *Session, link Link, st *stanza.Stanza, resume func()) (paused bool) {
	from, current := s.source(link)
	if !current {
		m.metrics.stale.Inc()
		return false
	}
	return m.take(from, st, resume)
}

// take is Inbound for a stanza of the link of now.
func (m *Manager) take(from *source, st *stanza.Stanza, resume func()) (paused bool) {
	s := from.s
	s.activity.take(st)
	m.metrics.stanzas(st.Kind)
	if st.Kind == stanza.Message && st.To.IsZero() {
		st = st.With(st.From, sender(s)) // RFC 6120 §10.3.1
	}
	st = m.unforged(st)
	if m.blocks(s, st) {
		m.work.Go(func() {
			defer func() { // also where a handler ends this goroutine
				m.FlushTouched()
				if st.Kind == stanza.IQ && st.Type == "get" { // many cards with pictures, say
					m.Room(s)
				}
				if !m.pipe.waitRoom(resume) {
					resume()
				}
			}()
			m.handle(from, st)
		})
		return true
	}
	m.handle(from, st)
	return m.pipe.waitRoom(resume)
}

// blocks reports whether handling the stanza may read storage.
func (m *Manager) blocks(s *Session, st *stanza.Stanza) bool {
	switch st.Kind {
	case stanza.Message:
		return s.looksBack(st) || m.Local(st.To.Domain()) && st.To.Local() != "" && !m.here(st, m.registry.bound(st.To.Bare()))
	case stanza.Presence:
		return st.Type != "error" && (m.presenceFor(st).Blocking(s, st) || m.readsBlocklist(st.To))
	}
	return m.iqBlocks(s, st)
}

// handle decides about a stanza of s and counts it.
func (m *Manager) handle(from *source, st *stanza.Stanza) {
	s := from.s
	if from.followed {
		defer m.handled(from)()
	}
	defer m.finish(from)
	returned := false
	defer func() {
		if v := recover(); v != nil {
			m.metrics.panics.Inc()
			m.ran(s, panicked("handling "+st.Type, v))
		} else if !returned {
			m.ran(s, errLeft)
		}
	}()
	m.decide(from, st)
	returned = true
}

// decide is what handle watches over.
func (m *Manager) decide(from *source, st *stanza.Stanza) {
	s := from.s
	ctx := handlingContext{s}
	if m.cameBefore(ctx, s, st) {
		m.turns(from, Report{Fate: Taken})
		return
	}
	if err := m.dispatch(ctx, from, st); err != nil {
		m.bounce(from, st, m.handlingError(ctx, err))
	}
}

func (m *Manager) dispatch(ctx context.Context, from *source, st *stanza.Stanza) error {
	if from.s.blocklist.Load().Has(st.To) {
		m.toBlocked(from, st)
		return nil
	}
	if st.Kind == stanza.Presence {
		err := m.routePresence(ctx, from, st)
		if err == nil {
			m.turns(from, Report{Fate: Taken})
		}
		return err
	}
	if !st.To.IsZero() && !m.Local(st.To.Domain()) {
		m.routeToService(from, st)
		return nil
	}
	if st.Kind == stanza.IQ {
		return m.routeIQ(ctx, from, st)
	}
	if st.To.Local() == "" {
		return m.toServer(from, st)
	}
	return m.toAccount(ctx, from, st)
}

// handlingError is toError that knows storage: an outage is the server's
// temporary trouble and is told as such.
func (m *Manager) handlingError(ctx context.Context, err error) stanza.Error {
	if errors.Is(err, storage.ErrFull) || errors.Is(err, storage.ErrFailed) || errors.Is(err, storage.ErrClosed) {
		return storageError(err)
	}
	return m.toError(ctx, err)
}

// storageError tells a client that something could not be kept.
func storageError(err error) stanza.Error {
	text := "the server has no space left; try again later"
	if !errors.Is(err, storage.ErrFull) {
		text = "the server can't store anything at the moment; try again later"
	}
	return stanza.ResourceConstraint(text)
}

// fullError tells a sender that the receiver's log is full (XEP-0160 §2).
func fullError(limit int64) stanza.Error {
	return stanza.ServiceUnavailable(fmt.Sprintf("the receiver has %d MiB of messages waiting, the most that is kept", limit>>20))
}

// panicked is the error that stands for a panic; the stack is for the log.
func panicked(what string, v any) error {
	return fmt.Errorf("%s panicked: %v\n%s", what, v, debug.Stack())
}

// ran looks at what running a hook for s returned: a fault of a handler ends
// that one stream.
func (m *Manager) ran(s *Session, err error) {
	if err == nil {
		return
	}
	if _, refusal := stanza.AsError(err); refusal {
		return
	}
	s.Log().Error("handler failed", "err", err)
	m.Kick(s, Cause{Internal, "a handler failed"}, &stream.Error{Err: "internal-server-error"})
}

// committed is called by the holder of the pipeline's token with what became of a
// batch. A full disk is told to the senders; any other error is the end of
// acknowledging on this store.
func (m *Manager) committed(err error) {
	if err == nil {
		m.pipe.noSpace.take(m.log)
		return
	}
	m.metrics.commitErrors.Inc()
	if errors.Is(err, storage.ErrFull) {
		m.pipe.noSpace.refuse(m.log, err)
		return
	}
	m.log.Error("the store failed; nothing is accepted any more until a restart", "err", err)
	if m.failed.CompareAndSwap(false, true) {
		m.work.Go(func() { m.closeAll(Cause{ShuttingDown, "the store failed"}) })
	}
}

// Failed reports whether the store has failed: streams are then refused.
func (m *Manager) Failed() bool { return m.failed.Load() }
