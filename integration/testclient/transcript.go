package testclient

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// maxTranscript bounds what one transcript keeps, in bytes; what is older is dropped.
const maxTranscript = 256 << 10

// transcript notes what went over a stream. Safe for concurrent use.
type transcript struct {
	begin time.Time

	mu      sync.Mutex
	lines   []transcriptLine
	size    int
	dropped int
}

type transcriptLine struct {
	at   time.Duration
	kind byte // '>' sent, '<' received, '-' a remark
	text []byte
}

func (t *transcript) add(kind byte, text []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := time.Since(t.begin)
	t.size += len(text)
	if n := len(t.lines); n > 0 && kind != '-' && t.lines[n-1].kind == kind && at-t.lines[n-1].at < 5*time.Millisecond {
		t.lines[n-1].text = append(t.lines[n-1].text, text...)
	} else {
		t.lines = append(t.lines, transcriptLine{at, kind, append([]byte(nil), text...)})
	}
	for t.size > maxTranscript && len(t.lines) > 1 {
		t.size -= len(t.lines[0].text)
		t.lines = t.lines[1:]
		t.dropped++
	}
}

func (t *transcript) remark(format string, args ...any) {
	t.add('-', fmt.Appendf(nil, format, args...))
}

// String returns one line a burst: time since the connection was made in
// milliseconds, direction ('>' sent, '<' received, '-' remark) and text.
func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b strings.Builder
	if t.dropped > 0 {
		fmt.Fprintf(&b, "(%d earlier lines dropped)\n", t.dropped)
	}
	for _, l := range t.lines {
		fmt.Fprintf(&b, "%8.1f %c %s\n", float64(l.at)/float64(time.Millisecond), l.kind, l.text)
	}
	return b.String()
}
