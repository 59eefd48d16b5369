package sessionmgr

import (
	"sync/atomic"
	"time"
)

// absence is what there is to know of a session's lost links. It is made when
// stream management is turned on: a session that its client can't come back to
// does without.
type absence struct {
	// Immutable.
	key  *[32]byte     // SHA-256 of the secret in the stream's id
	keep time.Duration // for how long the session may be without a link

	// Written with the pipeline's token or under the session's mu, read anywhere.
	lastAck atomic.Int64  // unix nanoseconds of the client's last acknowledgement
	goneAt  atomic.Int64  // unix nanoseconds when the link was lost, 0 while there is one
	away    atomic.Int64  // unix nanoseconds until which there was no link
	resumes atomic.Uint32 // how often the session was resumed
	// restarted says that the session was made by an earlier process and not
	// resumed since.
	restarted atomic.Bool
	expiry    atomic.Pointer[time.Timer] // of the last hibernation, about; nil for none
	unseen    atomic.Bool                // others are told that it isn't available, though it is
}

// awayUntil returns the unix nanoseconds until which the session had no link; 0
// where it never lost one.
func (s *Session) awayUntil() int64 {
	if a := s.absence.Load(); a != nil {
		return a.away.Load()
	}
	return 0
}
