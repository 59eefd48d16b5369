package sessionmgr

import (
	"slices"
	"time"
)

// answerTime is how long the answer to a client's request waits for the store. A
// commit takes about a millisecond, so nearly all get what they ask for; on a
// slow disk the client hears in time that the server is alive.
const answerTime = 5 * time.Millisecond

// RequestAck takes a client's request for an acknowledgement: it gets one as soon
// as what it sent before is durable (XEP-0198 §4). Where that takes long it is
// told what is durable by then, and the rest unasked.
func (m *Manager) RequestAck(s *Session, link Link) {
	m.pipe.run(func() {
		if s == nil {
			return
		}
		a, w := s.sm, s.window.Load()
		if a == nil || w == nil || w.link != link {
			return
		}
		w.wanted.Store(wantAck | uint64(a.accepted))
		if a.accepted == w.handled.Load() {
			m.pipe.drain(s)
			return
		}
		if a.accepted != a.recorded { // else it is on its way to the disk
			m.pipe.number(&item{Entry: Entry{From: s}, rec: true})
		}
		m.pipe.awaits(s)
	})
}

// awaits notes that a client waits for an answer from now on, unless it does.
func (p *pipeline) awaits(s *Session) {
	if s.sm.asking {
		return
	}
	s.sm.asking, s.sm.asked = true, time.Now().UnixNano()
	if p.asking = append(p.asking, s); len(p.asking) == 1 {
		p.lookAtAsking(answerTime)
	}
}

// lookAtAsking has the list of those that ask be looked at after a time.
func (p *pipeline) lookAtAsking(after time.Duration) {
	m := p.m
	time.AfterFunc(after, func() {
		if !m.quiet.Load() {
			m.pipe.run(m.pipe.answerOverdue)
			m.FlushTouched()
		}
	})
}

// answerOverdue answers those that have waited as long as they may.
func (p *pipeline) answerOverdue() {
	now := time.Now()
	p.asking = slices.DeleteFunc(p.asking, func(s *Session) bool {
		a, w := s.sm, s.window.Load()
		if a == nil {
			return true
		}
		if w == nil || w.wanted.Load() == 0 { // it has its answer, or no link
			a.asking = false
			return true
		}
		if now.Sub(time.Unix(0, a.asked)) < answerTime {
			return false
		}
		a.asking = false
		w.overdue.Store(true)
		p.drain(s)
		return true
	})
	if len(p.asking) > 0 {
		p.lookAtAsking(answerTime - now.Sub(time.Unix(0, p.asking[0].sm.asked)))
	}
}
