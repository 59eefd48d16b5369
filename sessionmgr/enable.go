package sessionmgr

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"time"

	"weir/stanza"
)

// Enabled is what a client is told of its stream management (XEP-0198 §3).
type Enabled struct {
	ID   string        // names the stream to resume; "" if it can't be
	Keep time.Duration // for how long
}

// Enable turns stream management on for a bound session. resume says that the
// client wants to be able to resume, for most at the longest (0: as long as the
// server likes). answer is called when that is durable and before anything is
// numbered. It waits for the store; meanwhile the stream must not read. An error
// is a stanza.Error.
func (m *Manager) Enable(ctx context.Context, s *Session, link Link, resume bool, most time.Duration, answer func(Enabled)) error {
	var secret [16]byte
	rand.Read(secret[:])
	a := &acks{resumable: resume && m.o.Hibernate > 0, keep: m.o.Hibernate, snap: true}
	a.key = sha256.Sum256(secret[:])
	if most > 0 {
		a.keep = min(a.keep, most)
	}
	done := make(chan error, 1)
	m.pipe.run(func() {
		if s.sm != nil || s.enabling || s.ledger == nil || !s.attachedTo(link) {
			done <- stanza.UnexpectedRequest("stream management is on already")
			return
		}
		s.enabling = true
		m.pipe.number(&item{
			Entry: Entry{From: s, Done: func(err error) {
				s.enabling = false
				if err == nil && s.sm == a {
					e := Enabled{Keep: a.keep}
					if a.resumable {
						e.ID = streamID(s.queue.tag, secret)
					}
					answer(e)
					s.window.Store(&window{link: link})
				} else {
					s.disable()
				}
				done <- err
			}},
			rec:     true,
			prepare: func(b *batch) { m.pipe.enable(b, s, a) },
		})
	})
	if err := <-done; err != nil {
		return m.handlingError(ctx, err)
	}
	m.metrics.enabled.Inc()
	return nil
}

// enable has the numbers begin, as its batch is sealed.
func (p *pipeline) enable(b *batch, s *Session, a *acks) {
	if s.ledger == nil {
		return
	}
	q := &s.queue
	if !s.behind { // else it has still to pull the rest
		q.after = max(q.after, q.last) // what came before is not acknowledged; the tail knows of it
	}
	if s.noted {
		b.ledger(s.ledger)
	}
	a.since = q.last
	s.sm = a
	s.absence.Store(&absence{key: &a.key, keep: a.keep})
	s.mu.Lock()
	s.resumable = a.resumable
	s.mu.Unlock()
}

// disable takes back what could not be recorded.
func (s *Session) disable() {
	s.sm = nil
	s.mu.Lock()
	s.resumable = false
	s.mu.Unlock()
}
