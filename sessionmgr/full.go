package sessionmgr

import (
	"log/slog"
	"time"
)

// fullSaidEvery is how often the log says that the disk is full: it may lie on
// the same disk, and each message that is refused would be a line.
const fullSaidEvery = time.Minute

// fullness is what the log was told of a disk without space. The holder of the
// pipeline's token owns it.
type fullness struct {
	said    time.Time // zero: there is space
	refused int       // batches since the log was told
}

// refuse notes that the store had no space for a batch.
func (f *fullness) refuse(log *slog.Logger, err error) {
	f.refused++
	if !f.said.IsZero() && time.Since(f.said) < fullSaidEvery {
		return
	}
	log.Warn("writes are refused: no space left on the disk of the data folder; senders are told to try later",
		"refused", f.refused, "err", err)
	f.said, f.refused = time.Now(), 0
}

// take notes that the store has taken a batch.
func (f *fullness) take(log *slog.Logger) {
	if f.said.IsZero() {
		return
	}
	log.Info("writes are taken again: the disk of the data folder has space", "refused", f.refused)
	*f = fullness{}
}
