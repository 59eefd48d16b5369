package sessionmgr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"weir/jid"
	"weir/storage"

	"mellium.im/xmpp/stream"
)

// tableSentence is a Map: account → device, or everyDevice → sentence. It has which
// stored sessions are to end with the next start, since what they rested on was
// taken away while no process had them: nobody could end them then, and they would
// come back.
const tableSentence = "sentence"

// everyDevice stands for all sessions of an account; no device's id is like it.
const everyDevice = "*"

// sentence is what is stored of one.
type sentence struct {
	Version int    `json:"v"`
	Cause   string `json:"cause"` // its code's name
	Text    string `json:"text"`
}

const sentenceVersion = 1

// Revocation says which sessions have lost the right to go on: all of an account, or
// those of one of its devices.
type Revocation struct {
	Account jid.JID       // bare
	Device  string        // "": whichever
	Spared  *Session      // goes on; may be nil
	Cause   Cause         // of the end
	Goodbye *stream.Error // for the clients
}

// Revoke ends the sessions that a revocation means: those that hibernate and, of a
// device, those that are just logging in included. In a process that has not restored
// the sessions of the one before it, which is a command on the folder of a server
// that is stopped, it is written down, and obeyed by the next [Manager.Restore]. An
// error is of the store.
func (m *Manager) Revoke(ctx context.Context, r Revocation) error {
	f := Filter{Account: r.Account, Where: func(s *Session) bool { return s != r.Spared }}
	if r.Device != "" { // of one account only; that of a session which is logging in isn't known yet
		f.Account, f.Device = jid.JID{}, r.Device
	}
	m.KickAll(f, r.Cause, r.Goodbye)
	if m.restored.Load() {
		return nil
	}
	kept, err := m.keptSessions(ctx, r.Account)
	if err != nil {
		return err
	}
	meant := func(p Snapshot) bool { return r.Device == "" || p.Device == r.Device }
	if !slices.ContainsFunc(kept, meant) {
		return nil
	}
	rec, err := json.Marshal(sentence{sentenceVersion, r.Cause.Code.String(), r.Cause.Text})
	if err != nil {
		return err
	}
	key := r.Device
	if key == "" {
		key = everyDevice
	}
	var b storage.Batch
	m.sentences.Put(&b, r.Account.String(), key, rec)
	return storage.Commit(ctx, m.store, &b)
}

// keptSessions are the sessions of an account that the next process will have. One
// whose record can't be read is the zero Snapshot.
func (m *Manager) keptSessions(ctx context.Context, account jid.JID) (all []Snapshot, err error) {
	list, err := m.sessions.all(ctx, account.String())
	for _, x := range list {
		if x.ended.IsZero() && x.numbers != nil {
			p, _ := UnmarshalSnapshot(x.snapshot) // told by Restore
			all = append(all, p)
		}
	}
	return all, err
}

// readSentence reads what Revoke wrote.
func readSentence(rec []byte) (Cause, error) {
	var v sentence
	if err := json.Unmarshal(rec, &v); err != nil {
		return Cause{}, fmt.Errorf("sessionmgr: sentence about sessions: %w", err)
	}
	if v.Version != sentenceVersion {
		return Cause{}, fmt.Errorf("sessionmgr: sentence about sessions of version %d, this program reads %d", v.Version, sentenceVersion)
	}
	for _, c := range CauseCodes() {
		if c.String() == v.Cause {
			return Cause{c, v.Text}, nil
		}
	}
	return Cause{}, fmt.Errorf("sessionmgr: sentence about sessions with the cause %q, which this program doesn't know", v.Cause)
}

// allSentences reads all sentences, by account and by device: as a rule there are none.
func (m *Manager) allSentences(ctx context.Context) (map[string]map[string]Cause, error) {
	accounts, err := m.sentences.Table().AccountNames(ctx, m.store)
	if err != nil {
		return nil, err
	}
	all := make(map[string]map[string]Cause)
	for _, account := range accounts {
		if all[account], err = m.sentencesOf(ctx, account); err != nil {
			return nil, fmt.Errorf("%s: %w", account, err)
		}
	}
	return all, nil
}

// sentencesOf reads the sentences about an account's sessions, by device. One that
// can't be read ends what it is about all the same.
func (m *Manager) sentencesOf(ctx context.Context, account string) (map[string]Cause, error) {
	all := map[string]Cause{}
	err := m.sentences.All(ctx, account, func(device string, rec []byte) bool {
		why, err := readSentence(rec)
		if err != nil {
			m.log.Error("a sentence about sessions can't be read", "account", account, "err", err)
			why = Cause{AccountGone, "its right to go on was taken away"}
		}
		all[string(append([]byte(nil), device...))] = why
		return true
	})
	return all, err
}

// condemned is a restored session about which there is a sentence.
type condemned struct {
	*Session
	why Cause
}

// condemn looks for the sentence about a session.
func condemn(s *Session, sentences map[string]Cause) (c condemned, is bool) {
	why, is := sentences[everyDevice]
	if d := s.Device().ID; !is && d != "" {
		why, is = sentences[d]
	}
	return condemned{s, why}, is
}

// execute ends the sessions that are to end, once all others are there and hear of
// it, and forgets the sentences of accounts behind that: in the pipeline's order, so
// no crash leaves a session without its sentence, or a sentence for sessions to come.
func (m *Manager) execute(all []condemned, accounts []string) {
	for _, c := range all {
		c.Log().Info("a session is not restored", "jid", c.JID(), "cause", c.why.String())
		if err := m.Kick(c.Session, c.why, nil); err != nil {
			c.Log().Error("a session goes on that was to end", "err", err)
		}
	}
	if len(accounts) == 0 {
		return
	}
	var b storage.Batch
	for _, account := range accounts {
		m.sentences.Clear(&b, account)
	}
	m.inOrder(func() {
		m.pipe.number(&item{Entry: Entry{Writes: b, Done: func(err error) {
			if err != nil && !errors.Is(err, storage.ErrClosed) {
				m.log.Error("sentences about sessions stay, and will be obeyed again", "err", err)
			}
		}}})
	})
}

// DeviceUse is a device that an account has sessions of.
type DeviceUse struct {
	Device
	First, Last time.Time // when the first of them began, and its client was last heard of
	Sessions    int       // those that hibernate included
}

// Devices returns the devices of which an account has sessions, the oldest first.
// Sessions of clients that named no device are of none. In a process that has not
// restored the sessions of the one before it, these are looked up in the store,
// whose error is returned.
func (m *Manager) Devices(ctx context.Context, account jid.JID) ([]DeviceUse, error) {
	all := map[string]*DeviceUse{}
	note := func(d Device, first, last time.Time) {
		if d.ID == "" {
			return
		}
		u := all[d.ID]
		if u == nil {
			u = &DeviceUse{d, first, last, 0}
			all[d.ID] = u
		}
		u.Sessions++
		if first.Before(u.First) {
			u.First = first
		}
		if last.After(u.Last) {
			u.Device, u.Last = d, last
		}
	}
	m.RangeOf(Filter{Account: account}, func(s *Session) bool {
		note(s.Device(), s.Created(), s.LastActive())
		return true
	})
	if !m.restored.Load() {
		kept, err := m.keptSessions(ctx, account)
		if err != nil {
			return nil, err
		}
		for _, p := range kept {
			note(Device{p.Device, p.Software, p.DeviceName}, p.Created, p.Created)
		}
	}
	list := make([]DeviceUse, 0, len(all))
	for _, u := range all {
		list = append(list, *u)
	}
	slices.SortFunc(list, func(a, b DeviceUse) int { return a.First.Compare(b.First) })
	return list, nil
}
