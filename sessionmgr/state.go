package sessionmgr

import (
	"encoding/json"
	"fmt"
	"time"

	"weir/jid"
	"weir/stanza"
)

// State is where a session is in its life; docs/session.md has the table with
// what enters each state and what it may send.
type State uint8

// The states. Interested and available are marks of a bound session, no states
// of their own.
const (
	NotOpen     State = iota // accepted, no stream header yet
	Unauthed                 // header came, host is known
	Unbound                  // authenticated, account is known
	Bound                    // has a resource and may send any stanza
	Hibernating              // link lost, session kept
	Destroyed                // ended, with a cause
)

// String returns the name under which listings and docs know the state.
func (s State) String() string {
	switch s {
	case NotOpen, Unauthed:
		return "c2s_unauthed"
	case Unbound:
		return "c2s_unbound"
	case Bound:
		return "c2s"
	case Hibernating:
		return "c2s_hibernating"
	case Destroyed:
		return "c2s_destroyed"
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// Keeping says what becomes of a field of a session when its process ends.
type Keeping uint8

// The three ways.
const (
	Durable     Keeping = iota + 1 // part of Snapshot
	Rebuildable                    // made again from what is durable or from the client
	Volatile                       // gone with the process
)

// Snapshot is the durable part of a session as a value: what a later process
// needs to know to be the same session again. Fields are only ever added;
// Version tells an older program that it can't read a record.
type Snapshot struct {
	Version    int                        `json:"v"`
	ID         string                     `json:"id"`
	JID        string                     `json:"jid"`
	Created    time.Time                  `json:"created"`
	Presence   string                     `json:"presence,omitempty"` // as on the wire; "" while unavailable
	Priority   int8                       `json:"priority,omitempty"`
	Interested bool                       `json:"interested,omitempty"`
	Handled    uint32                     `json:"handled"` // stanzas of the client, modulo 2^32
	Sent       uint32                     `json:"sent"`    // stanzas to the client, modulo 2^32
	Resumes    uint32                     `json:"resumes,omitempty"`
	Resumable  bool                       `json:"resumable,omitempty"`
	Keep       int                        `json:"keep,omitempty"` // seconds that it may hibernate
	Carbons    bool                       `json:"carbons,omitempty"`
	Key        []byte                     `json:"key,omitempty"` // SHA-256 of the secret in the stream's id
	Device     string                     `json:"device,omitempty"`
	Software   string                     `json:"software,omitempty"`
	DeviceName string                     `json:"device_name,omitempty"`
	Attributes map[string]storedAttribute `json:"attributes,omitempty"`
}

// snapshotVersion is what this program writes.
const snapshotVersion = 1

// Keepings declares for each field of Session what becomes of it. A test holds
// it against the struct: a new field has to be declared.
func Keepings() map[string]Keeping {
	return map[string]Keeping{
		"id": Durable, "created": Durable, "full": Durable, "handled": Durable, "sent": Durable, "absence": Durable,
		"presence": Durable, "priority": Durable, "interested": Durable, "carbons": Durable, "attributes": Durable,
		"inactive": Volatile, "agenda": Volatile, "way": Volatile, "resting": Volatile,
		"m": Rebuildable, "host": Rebuildable, "state": Rebuildable, "reach": Rebuildable,
		"role": Rebuildable, "blocklist": Rebuildable, "resumable": Durable, "device": Durable, "sm": Durable, "queue": Durable,
		"attached": Volatile, "generation": Volatile, "fence": Volatile, "epoch": Volatile, "window": Volatile,
		"resent": Volatile, "pulling": Volatile, "noted": Volatile, "enabling": Volatile, "fetched": Volatile,
		"linked": Volatile, "traits": Volatile, "remote": Volatile, "cause": Volatile, "slots": Volatile, "waiters": Volatile, "mu": Volatile,
		"pendingBatch": Volatile, "touched": Volatile, "behind": Volatile, "lost": Volatile, "tail": Volatile, "tailed": Volatile, "pushed": Volatile,
		"ledger": Rebuildable, "turns": Volatile, "binding": Volatile, "left": Volatile,
		"held": Volatile, "activity": Volatile, "followed": Volatile,
	}
}

// Snapshot returns the durable part of the session as it is now.
func (s *Session) Snapshot() Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	snap := Snapshot{
		Version: snapshotVersion, ID: s.id, JID: s.full.String(), Created: s.Created(),
		Priority: s.priority, Interested: s.interested,
		Handled: s.handled.Load(), Sent: s.sent.Load(), Carbons: s.carbons.asked(),
	}
	if s.presence != nil {
		snap.Presence = string(s.presence.AppendTo(nil))
	}
	if s.device != nil {
		snap.Device, snap.Software, snap.DeviceName = s.device.ID, s.device.Software, s.device.Name
	}
	snap.Attributes = s.attributes.Load().stored()
	if a := s.absence.Load(); a != nil {
		snap.Resumes = a.resumes.Load()
		if s.resumable {
			snap.Resumable, snap.Keep, snap.Key = true, int(a.keep/time.Second), a.key[:]
		}
	}
	return snap
}

// Marshal encodes the snapshot for storage.
func (p Snapshot) Marshal() ([]byte, error) { return json.Marshal(p) }

// UnmarshalSnapshot decodes and checks a stored snapshot.
func UnmarshalSnapshot(b []byte) (Snapshot, error) {
	var p Snapshot
	if err := json.Unmarshal(b, &p); err != nil {
		return Snapshot{}, fmt.Errorf("sessionmgr: session record: %w", err)
	}
	if p.Version < 1 || p.Version > snapshotVersion {
		return Snapshot{}, fmt.Errorf("sessionmgr: session record of version %d, this program reads up to %d", p.Version, snapshotVersion)
	}
	if _, err := jid.Parse(p.JID); err != nil {
		return Snapshot{}, fmt.Errorf("sessionmgr: session record %s: %w", p.ID, err)
	}
	if p.Presence != "" {
		if _, err := stanza.Parse([]byte(p.Presence)); err != nil {
			return Snapshot{}, fmt.Errorf("sessionmgr: session record %s: %w", p.ID, err)
		}
	}
	return p, nil
}
