package webhook

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mrand "math/rand/v2" // jitter of the waits between posts
	"net/http"
	"net/url"
	"strconv"
	"time"

	"weir/modules/events"
)

// target is one address that events are posted to. Its goroutine is work.
type target struct {
	hook    *Hook
	url     *url.URL
	backlog *backlog
	metrics *targetMetrics
	failing bool  // the worker: that posts fail was told
	refuses bool  // the worker: that events are refused was told
	left    int   // the worker: how many events it had taken and not told at the end
	why     error // the worker: why, if it tried
}

func newTarget(h *Hook, u *url.URL, m *metrics) *target {
	t := &target{hook: h, url: u, metrics: m.of(u.Host)}
	t.backlog = newBacklog(&h.o, u, func(n uint64) { t.metrics.dropped.Add(float64(n)) })
	return t
}

// Post is the body of a post.
type Post struct {
	Server   string         `json:"server"`   // its first domain
	Delivery string         `json:"delivery"` // the same where it is tried again
	Events   []events.Event `json:"events"`
}

// Outcomes of a try.
var (
	errRefused = errors.New("the target refuses these events")
	errFailed  = errors.New("the target fails")
)

func (t *target) work() {
	for {
		some := t.backlog.queue.Take(t.hook.run, t.hook.o.Batch)
		if len(some) == 0 {
			return
		}
		if !t.deliver(some) { // the end: nothing is tried again
			t.left = len(some)
			return
		}
	}
}

// deliver posts events until they are taken, or refused for good. It returns false when
// the hook stops first: then they have been posted once more.
func (t *target) deliver(some []events.Event) bool {
	id := make([]byte, 12)
	_, _ = rand.Read(id) // never fails (crypto/rand)
	body, err := json.Marshal(Post{Server: t.hook.o.Server, Delivery: hex.EncodeToString(id), Events: some})
	if err != nil { // never: an Event has nothing that can't be marshalled
		t.hook.o.Log.Error("events can't be written as JSON", "err", err)
		return true
	}
	for wait := time.Second; ; wait = min(2*wait, t.hook.o.MaxBackoff) {
		ending := t.hook.ending()
		err := t.post(body)
		switch {
		case err == nil:
			t.metrics.delivered.Add(float64(len(some)))
			t.backlog.over(some, true)
			t.went(true, nil)
			t.refuses = false
			return true
		case errors.Is(err, errRefused):
			t.backlog.over(some, false)
			t.refused(len(some), err)
			return true
		case ending || t.hook.run.Err() != nil: // Stop tells it, in one line
			t.why = err
			return false
		}
		t.went(false, err)
		pause := time.NewTimer(wait/2 + mrand.N(wait/2+1)) // many servers don't come back at once
		select {
		case <-pause.C:
		case <-t.hook.stopping:
			pause.Stop()
		}
	}
}

// went tells in the log when a target begins to fail, and when it has come back.
func (t *target) went(well bool, err error) {
	switch {
	case well && t.failing:
		t.hook.o.Log.Info("a webhook target takes events again", "target", t.url.Host, "waiting", t.backlog.queue.Len())
	case !well && !t.failing:
		t.hook.o.Log.Warn("a webhook target fails: events wait for it", "target", t.url.Host, "err", err)
	}
	t.failing = !well
}

// refused tells in the log that events are dropped, once until the target takes some: the
// metrics count the others.
func (t *target) refused(n int, err error) {
	if !t.refuses {
		t.hook.o.Log.Error("a webhook target refuses events: they are dropped, and so are others until it takes some", "target", t.url.Host, "events", n, "err", err)
	}
	t.refuses = true
}

// unmet is what is told of events that are left, and why if that is known.
func (t *target) unmet(n int) []any {
	args := []any{"target", t.url.Host, "events", n}
	if t.why != nil {
		args = append(args, "err", t.why)
	}
	return args
}

// maxAnswer is how much of an answer is read, in bytes: what it says doesn't matter,
// and a short one lets the connection be used again.
const maxAnswer = 4 << 10

// post tries once.
func (t *target) post(body []byte) error {
	ctx, cancel := context.WithTimeout(t.hook.run, t.hook.o.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url.String(), bytes.NewReader(body))
	if err != nil {
		return errFailed
	}
	now := strconv.FormatInt(time.Now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "weir")
	req.Header.Set("Weir-Timestamp", now)
	req.Header.Set("Weir-Signature", "sha256="+Sign(*t.hook.secret.Load(), now, body))
	client := http.Client{Transport: t.hook.o.Transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // where it leads nobody has configured
	}}
	r, err := client.Do(req)
	if err != nil {
		t.metrics.posts("unreachable")
		var u *url.Error // has the whole address in it
		if errors.As(err, &u) {
			err = u.Err
		}
		return fmt.Errorf("%w: %w", errFailed, err)
	}
	defer r.Body.Close()
	_, _ = io.CopyN(io.Discard, r.Body, maxAnswer) // how it ends doesn't matter
	switch c := r.StatusCode; {
	case c >= 200 && c < 300:
		t.metrics.posts("taken")
		return nil
	case c == http.StatusBadRequest || c == http.StatusRequestEntityTooLarge || c == http.StatusUnprocessableEntity:
		t.metrics.posts("refused")
		return fmt.Errorf("%w: status %d", errRefused, c)
	default:
		t.metrics.posts("failed")
		return fmt.Errorf("%w: status %d", errFailed, c)
	}
}
