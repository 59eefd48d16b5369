package sessionmgr

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"weir/jid"
	"weir/stanza"
	"weir/storage"
)

// Restore brings the sessions of an earlier process back: each hibernates as if
// its link had just been lost, since the server's own downtime doesn't count.
// Call it once, when everything is registered and before the first session is
// opened. It reads storage. Of a session whose record can't be read, or is of a later
// version, what it has not got is owed to its account, as if it had expired.
func (m *Manager) Restore(ctx context.Context) error {
	accounts, err := m.sessions.records.Table().AccountNames(ctx, m.store)
	if err != nil {
		return fmt.Errorf("sessionmgr: stored sessions: %w", err)
	}
	sentences, err := m.allSentences(ctx)
	if err != nil { // better no server than one that lets in who was locked out
		return fmt.Errorf("sessionmgr: sentences about sessions: %w", err)
	}
	n := 0
	var out []condemned
	var judged []string
	for _, account := range accounts {
		k, condemned, err := m.restoreAccount(ctx, account, sentences[account])
		if err != nil {
			m.log.Error("the sessions of an account can't be restored", "account", account, "err", err)
		}
		n += k
		out = append(out, condemned...)
		if len(sentences[account]) > 0 && err == nil { // else they hold for what may come back another time
			judged = append(judged, account)
		}
	}
	m.restored.Store(true)
	m.execute(out, judged)
	if n > 0 {
		m.log.Info("sessions restored", "count", n)
	}
	m.metrics.restored.Add(float64(n))
	m.retireLater(firstRetirement)
	return nil
}

// restoreAccount makes the sessions of an account again, and returns how many, and
// which of them are to end.
func (m *Manager) restoreAccount(ctx context.Context, account string, sentences map[string]Cause) (n int, out []condemned, err error) {
	list, err := m.sessions.all(ctx, account)
	if err != nil {
		return 0, nil, err
	}
	bare, err := jid.Parse(account)
	if err != nil {
		return 0, nil, err
	}
	var old storage.Batch
	for _, x := range list {
		switch {
		case !x.ended.IsZero():
			if time.Since(x.ended) > endedFor {
				m.sessions.records.Delete(&old, account, recordKey(x.tag, keyEnded))
			} else {
				m.inOrder(func() { m.pipe.graves.add(bare, x.tag, x.ended) })
			}
		case x.numbers == nil:
			m.log.Error("a session was stored without its numbers; it is removed", "account", account, "tag", x.tag)
			m.sessions.forget(&old, account, x.tag, x.maps)
			m.sessions.records.Delete(&old, account, recordKey(x.tag, keyEnded)) // one that can't be read, perhaps
		default:
			s, err := m.restore(ctx, bare, x)
			if err != nil {
				m.log.Error("a session can't be restored", "account", account, "err", err)
				continue
			}
			n++
			if c, is := condemn(s, sentences); is {
				out = append(out, c)
			}
		}
	}
	if len(old.Ops) > 0 {
		err = storage.Commit(ctx, m.store, &old)
	}
	return n, out, err
}

// restore makes one session again.
func (m *Manager) restore(ctx context.Context, account jid.JID, x *stored) (*Session, error) {
	s, lost, err := x.session(m, account)
	if err != nil {
		return nil, err
	}
	if err := x.restore(s); err != nil {
		return nil, err
	}
	l, err := m.ledgers.acquire(ctx, account)
	if err != nil {
		return nil, err
	}
	s.carry(l)
	m.inOrder(func() {
		s.ledger = l
		s.queue.last, s.queue.untold = l.last, l.last
		for i := range s.sm.claim { // its end may be of messages that a full disk did not take
			g := &s.sm.claim[i]
			g.upTo = min(g.upTo, l.last)
		}
		m.registry.insert(account, s)
	})
	m.registry.add(s)
	m.ran(s, m.Hooks.Restored.Run(errandContext{ctx, s}, s))
	m.judged(s)
	if lost != nil {
		m.Kick(s, Cause{Expired, "its record can't be read"}, nil)
		return nil, fmt.Errorf("%w; what it had not got goes to the account's next session", lost)
	}
	if !s.resumable { // its client can't come back to it
		m.Kick(s, Cause{Expired, "the server was restarted"}, nil)
		return s, nil
	}
	m.expireAfter(s, s.absence.Load().keep, s.generation)
	return s, nil
}

// session makes the session that is stored. Where its record can't be read, lost says
// why: the session is then good for nothing but its end.
func (x *stored) session(m *Manager, account jid.JID) (s *Session, lost, err error) {
	snap, lost := UnmarshalSnapshot(x.snapshot)
	if lost == nil {
		if s, lost = snap.session(m); lost == nil && s.full.Bare() == account {
			return s, nil, nil
		}
	}
	if lost == nil {
		lost = fmt.Errorf("sessionmgr: the record of session %s is of another account", s.id)
	}
	snap = remains(x.snapshot)
	full, err := account.WithResource(randomName())
	if err != nil {
		return nil, lost, err
	}
	snap.JID = full.String()
	s, err = snap.session(m)
	return s, lost, err
}

// remains is what is made of a record that can't be read: a session of nobody that
// knows the secret of its client's stream, if the record still tells that. So the
// client learns how much was handled (XEP-0198 §5).
func remains(rec []byte) Snapshot {
	var was struct {
		Key []byte `json:"key"`
	}
	p := Snapshot{Version: snapshotVersion, ID: randomName(), Created: time.Now()}
	if err := json.Unmarshal(rec, &was); err == nil && len(was.Key) == sha256.Size {
		p.Key, p.Resumable = was.Key, true
	}
	return p
}

// session makes the session of a snapshot: it hibernates.
func (p *Snapshot) session(m *Manager) (*Session, error) {
	full, err := jid.Parse(p.JID)
	if err != nil {
		return nil, err
	}
	s := &Session{
		m: m, id: p.ID, created: p.Created.UnixNano(), full: full, host: full.Domain(), state: Hibernating,
		traits: m.share(LinkInfo{}), priority: p.Priority, interested: p.Interested,
		resumable: p.Resumable,
	}
	if p.Device != "" || p.Software != "" || p.DeviceName != "" {
		s.device = &Device{p.Device, p.Software, p.DeviceName}
	}
	if p.Attributes != nil {
		s.attributes.Store(restoredAttributes(p.Attributes, OfSession))
	}
	s.handled.Store(p.Handled)
	s.sent.Store(p.Sent)
	s.carbons.ask(p.Carbons)
	s.reach.Store(unreachable)
	if p.Presence != "" {
		if s.presence, err = stanza.Parse([]byte(p.Presence)); err != nil {
			return nil, err
		}
		s.reach.Store(int32(p.Priority))
	}
	s.step("restored by a new process", Cause{})
	s.lost = true
	s.sm = &acks{resumable: p.Resumable, keep: time.Duration(p.Keep) * time.Second}
	copy(s.sm.key[:], p.Key)
	away := &absence{key: &s.sm.key, keep: s.sm.keep} // neither is written again
	away.resumes.Store(p.Resumes)
	away.goneAt.Store(time.Now().UnixNano())
	away.restarted.Store(true)
	s.absence.Store(away)
	return s, nil
}
