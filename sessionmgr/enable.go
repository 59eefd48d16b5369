package sessionmgr

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"time"

	"weir/stanza"
)

// Enabled is what a client is told of its stream management (XEP-0198 §3).
type Enabled struct {
	ID   string        // names the stream to resume; "" if it can't be
	Keep time.Duration // for how long
}

// EnableRequest is a client's wish for stream management, and what became of it.
type EnableRequest struct {
	Resume bool          // it wants to be able to resume
	Most   time.Duration // for that long at the longest; 0: as long as the server likes

	// Answer, unless nil, is called when it is durable and before anything is
	// numbered. It must not block.
	Answer  func(Enabled)
	Enabled Enabled // once it is on
	Err     error   // a stanza.Error where it is not

	done chan struct{}
}

// Enable turns stream management on for a bound session. resume says that the
// client wants to be able to resume, for most at the longest (0: as long as the
// server likes). answer is called when that is durable and before anything is
// numbered. It waits for the store; meanwhile the stream must not read. An error
// is a stanza.Error, or ErrGone: the session has ended, and its stream says why.
func (m *Manager) Enable(ctx context.Context, s *Session, link Link, resume bool, most time.Duration, answer func(Enabled)) error {
	if s == nil {
		return stanza.NotAllowed("the session has ended")
	}
	r := &EnableRequest{Resume: resume, Most: most, Answer: answer, done: make(chan struct{})}
	m.pipe.run(func() { m.enableNow(s, link, r) })
	<-r.done
	if errors.Is(r.Err, ErrGone) {
		return r.Err
	}
	if r.Err != nil {
		return m.handlingError(ctx, r.Err)
	}
	m.metrics.enabled.Inc()
	return nil
}

// enableNow begins what Enable does and returns; the request's done is closed
// when it has come to its end. Runs with the token.
func (m *Manager) enableNow(s *Session, link Link, r *EnableRequest) {
	switch {
	case s.ledger == nil || !s.attachedTo(link):
		r.end(ErrGone)
		return
	case s.sm != nil || s.enabling:
		r.end(stanza.UnexpectedRequest("stream management is on already"))
		return
	}
	var secret [16]byte
	rand.Read(secret[:])
	a := &acks{resumable: r.Resume && m.opts().Hibernate > 0, keep: m.opts().Hibernate, snap: true}
	a.key = sha256.Sum256(secret[:])
	if r.Most > 0 {
		a.keep = min(a.keep, r.Most)
	}
	s.enabling = true
	m.pipe.number(&item{
		Entry: Entry{From: s, Done: func(err error) {
			s.enabling = false
			if err == nil && s.sm == a {
				r.Enabled = Enabled{Keep: a.keep}
				if a.resumable {
					r.Enabled.ID = streamID(s.queue.tag, secret)
				}
				if r.Answer != nil {
					r.Answer(r.Enabled)
				}
				s.window.Store(&window{link: link})
			} else {
				s.disable()
			}
			r.end(err)
		}},
		rec:     true,
		prepare: func(b *batch) { m.pipe.enable(b, s, a) },
	})
}

// end notes what became of the request.
func (r *EnableRequest) end(err error) {
	r.Err = err
	close(r.done)
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
