package mam

import (
	"context"
	"strconv"
	"time"

	"weir/jid"
	"weir/sessionmgr"
)

// Archived is one message of an archive.
type Archived = sessionmgr.Archived

// Archive is what this package needs of the log. It is asked from many
// goroutines. A message that comes while it is read may be seen or not.
type Archive interface {
	// Archived calls fn for the account's archived messages with ids above after,
	// oldest first, until fn returns false.
	Archived(ctx context.Context, account jid.JID, after uint64, fn func(Archived) bool) error
	// ArchivedBefore is the same for ids below before, newest first;
	// math.MaxUint64 begins with the newest of all.
	ArchivedBefore(ctx context.Context, account jid.JID, before uint64, fn func(Archived) bool) error
	// FirstArchivedAt returns the lowest id that can have been made at t or later.
	FirstArchivedAt(t time.Time) uint64
	// ArchivePrefs returns what the account wants archived.
	ArchivePrefs(ctx context.Context, account jid.JID) (Prefs, error)
	// SetArchivePrefs changes it; it returns when that is durable.
	SetArchivePrefs(ctx context.Context, account jid.JID, p Prefs) error
}

// Prefs say what an account wants archived (XEP-0441 §2.1).
type Prefs = sessionmgr.ArchivePrefs

var _ Archive = (*sessionmgr.Manager)(nil)

// idWidth is the length of an id as clients see it.
const idWidth = 16

// FormatID returns an id as clients see it, which they treat as opaque (XEP-0313
// §6.2).
func FormatID(id uint64) string { return sessionmgr.ArchiveID(id) }

// ParseID reads what FormatID wrote, and nothing else.
func ParseID(s string) (id uint64, ok bool) {
	if len(s) != idWidth {
		return 0, false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return 0, false
		}
	}
	id, err := strconv.ParseUint(s, 16, 64)
	return id, err == nil
}
