package sessionmgr

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/storage"
)

// TestFullDiskIsToldSeldom: a disk that stays full is a line a minute, and one
// when it has space again.
func TestFullDiskIsToldSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := slog.New(slog.NewTextHandler(&out, nil))
		lines := func() (n int) {
			n = strings.Count(out.String(), "\n")
			out.Reset()
			return n
		}
		var f fullness
		f.take(log)
		if n := lines(); n != 0 {
			t.Errorf("%d lines while there is space", n)
		}
		err := fmt.Errorf("disk: %w", storage.ErrFull)
		for range 119 {
			f.refuse(log, err)
			time.Sleep(time.Second)
		}
		if n := lines(); n != 2 {
			t.Errorf("%d lines in 119 s, not 2", n)
		}
		f.take(log)
		if s := out.String(); !strings.Contains(s, "taken again") || !strings.Contains(s, "refused=58") {
			t.Errorf("%q", s)
		}
		if f.take(log); lines() != 1 {
			t.Error("told twice that there is space")
		}
		f.refuse(log, err)
		if n := lines(); n != 1 {
			t.Errorf("%d lines for a disk that is full again", n)
		}
	})
}
