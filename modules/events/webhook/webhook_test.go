package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/modules/events"
)

const theSecret = "correct horse battery staple"

func secretFile(t testing.TB, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// made makes a hook whose log is read from the buffer.
func made(t *testing.T, o Options) (*Hook, *bytes.Buffer) {
	t.Helper()
	told := &bytes.Buffer{}
	o.Log = slog.New(slog.NewTextHandler(told, nil))
	o.SecretFile = secretFile(t, theSecret+"\n")
	h, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return h, told
}

// answers is a target without a network: it keeps what it is posted and answers by
// answer, which gets the number of the post.
type answers struct {
	mu     sync.Mutex
	at     []time.Time
	posts  []Post
	answer func(n int, r *http.Request) (*http.Response, error)
}

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if want := "sha256=" + Sign([]byte(theSecret), r.Header.Get("Weir-Timestamp"), body); r.Header.Get("Weir-Signature") != want {
		return nil, errors.New("the signature is wrong")
	}
	var p Post
	if err := json.Unmarshal(body, &p); err != nil {
		return nil, err
	}
	a.mu.Lock()
	a.at, a.posts = append(a.at, time.Now()), append(a.posts, p)
	n := len(a.posts) - 1
	a.mu.Unlock()
	return a.answer(n, r)
}

// count returns how many posts came.
func (a *answers) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.posts)
}

// says is an answer with a status.
func says(status int) (*http.Response, error) {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("x"))}, nil
}

func session(n int) events.Event { return events.Event{Kind: events.Bound, Session: fmt.Sprint(n)} }

func sessions(p Post) (all string) {
	for _, e := range p.Events {
		if e.Kind == events.Dropped {
			all += fmt.Sprintf("(%d)", e.Count)
			continue
		}
		all += e.Session + " "
	}
	return all
}

// TestRetries: what a target doesn't take comes again, the same and in order, after
// longer and longer; what comes meanwhile waits, the oldest is dropped and that is
// told. The log tells the beginning and the end of it.
func TestRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		status := []int{500, 302, 404, 503, 429, 200, 200}
		a := &answers{answer: func(n int, _ *http.Request) (*http.Response, error) {
			if n == 1 {
				return nil, errors.New("connection refused")
			}
			return says(status[n])
		}}
		h, told := made(t, Options{Targets: []string{"https://hooks.example/secret-path"}, Server: "verona.lit", Batch: 3, Queue: 3, MaxBackoff: 4 * time.Second, Transport: a})
		h.Put(session(0))
		h.Start()
		synctest.Wait() // the first post has failed
		for i := range 5 {
			h.Put(session(i + 1))
		}
		time.Sleep(time.Minute)
		h.Stop(t.Context())
		if len(a.posts) != 7 || sessions(a.posts[6]) != "(2)3 4 5 " {
			t.Fatalf("%+v", a.posts)
		}
		for i, p := range a.posts[:6] {
			if sessions(p) != "0 " || p.Delivery != a.posts[0].Delivery || p.Server != "verona.lit" {
				t.Errorf("post %d: %+v", i, p)
			}
		}
		for i, longest := range []time.Duration{1, 2, 4, 4, 4} {
			if d := a.at[i+1].Sub(a.at[i]); d > longest*time.Second || d < longest*time.Second/2 {
				t.Errorf("wait %d is %v, want half to all of %d s", i, d, longest)
			}
		}
		if s := told.String(); strings.Count(s, "level=WARN") != 1 || strings.Count(s, "takes events again") != 1 || strings.Contains(s, "secret-path") {
			t.Errorf("the log:\n%s", s)
		}
	})
}

// TestRefusedAgain: a target that refuses events doesn't get them again, and the log tells that
// once until it takes some.
func TestRefusedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		status := []int{400, 413, 422, 200, 400}
		a := &answers{answer: func(n int, _ *http.Request) (*http.Response, error) { return says(status[n]) }}
		h, told := made(t, Options{Targets: []string{"https://hooks.example/"}, Batch: 1, Transport: a})
		h.Start()
		for i := range 4 { // three are refused, and that is told where the fourth is
			h.Put(session(i))
			synctest.Wait()
		}
		if n := strings.Count(told.String(), "level=ERROR"); a.count() != 4 || n != 1 {
			t.Errorf("%d posts, and the log told %d times:\n%s", a.count(), n, told)
		}
		h.Put(session(4))
		synctest.Wait()
		if n := strings.Count(told.String(), "level=ERROR"); n != 2 {
			t.Errorf("the log told %d times:\n%s", n, told)
		}
		h.Stop(t.Context())
	})
}

// TestOnceMoreAtTheEnd: what waits is posted once more when the hook stops, also for a target
// that is waited for; one that is down is tried once and told in one line.
func TestOnceMoreAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := errors.New("connection refused")
		back := &answers{answer: func(n int, _ *http.Request) (*http.Response, error) {
			if n == 0 {
				return nil, down
			}
			return says(200)
		}}
		gone := &answers{answer: func(int, *http.Request) (*http.Response, error) { return nil, down }}
		fresh := &answers{answer: func(n int, _ *http.Request) (*http.Response, error) {
			if n == 0 {
				return says(200)
			}
			return nil, down
		}}
		h, told := made(t, Options{Targets: []string{"https://back.example/", "https://gone.example/", "https://fresh.example/"}, Batch: 1,
			Transport: byHost{"back.example": back, "gone.example": gone, "fresh.example": fresh}})
		h.Start()
		h.Put(session(0))
		synctest.Wait() // two have failed and are waited for
		h.Put(session(1))
		before := time.Now()
		h.Stop(t.Context())
		if d := time.Since(before); d != 0 {
			t.Errorf("the end took %v", d)
		}
		if back.count() != 3 || sessions(back.posts[1])+sessions(back.posts[2]) != "0 1 " || gone.count() != 2 {
			t.Errorf("%d posts to the one that is back: %+v; %d to the one that isn't", back.count(), back.posts, gone.count())
		}
		for host, want := range map[string]int{"back.example": 1, "gone.example": 2, "fresh.example": 1} {
			if n := strings.Count(told.String(), "level=WARN msg=\"a webhook target fails: events wait for it\" target="+host) +
				strings.Count(told.String(), "level=WARN msg=\"events were not told to a webhook target before the end\" target="+host); n != want {
				t.Errorf("%d lines about %s, want %d:\n%s", n, host, want, told)
			}
		}
		if s := told.String(); !strings.Contains(s, "target=gone.example events=2 err=") {
			t.Errorf("the log:\n%s", s)
		}
	})
}

// TestRefused: what a target will never take isn't posted again, and told as dropped
// with what follows.
func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, status := range []int{400, 413, 422} {
			a := &answers{answer: func(n int, _ *http.Request) (*http.Response, error) {
				if n == 0 {
					return says(status)
				}
				return says(204)
			}}
			h, told := made(t, Options{Targets: []string{"https://hooks.example/"}, Events: []string{events.Bound}, Transport: a})
			h.Put(session(0))
			h.Put(session(1))
			h.Start()
			synctest.Wait()
			h.Put(events.Event{Kind: events.Closed}) // not asked for
			h.Put(session(2))
			synctest.Wait()
			h.Stop(t.Context())
			if len(a.posts) != 2 || sessions(a.posts[0]) != "0 1 " || sessions(a.posts[1]) != "(2)2 " {
				t.Errorf("%d: %+v\n%s", status, a.posts, told)
			}
		}
	})
}

// TestSlow: a target that never answers gets no more than its time, holds up no other,
// and not the end.
func TestSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		quick := &answers{answer: func(int, *http.Request) (*http.Response, error) { return says(200) }}
		slow := &answers{answer: func(_ int, r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}}
		h, _ := made(t, Options{Targets: []string{"https://slow.example/", "https://quick.example/"}, Timeout: 5 * time.Second, Transport: byHost{"slow.example": slow, "quick.example": quick}})
		h.Start()
		for i := range 50 {
			h.Put(session(i))
			synctest.Wait()
		}
		if quick.count() != 50 || slow.count() != 1 {
			t.Errorf("quick got %d posts, slow %d", quick.count(), slow.count())
		}
		time.Sleep(7 * time.Second)
		synctest.Wait()
		if slow.count() != 2 {
			t.Errorf("slow got %d posts", slow.count())
		}
		began := time.Now()
		h.Stop(t.Context())
		if d := time.Since(began); d > lastPosts {
			t.Errorf("the end took %v", d)
		}
		h.Put(session(99)) // after the end nothing happens
	})
}

// byHost leads to targets by their names.
type byHost map[string]http.RoundTripper

func (b byHost) RoundTrip(r *http.Request) (*http.Response, error) { return b[r.URL.Host].RoundTrip(r) }

// TestLiars: over a real network, targets that redirect, answer without end or with
// what is no HTTP are no harm: nothing goes where they lead.
func TestLiars(t *testing.T) {
	strangers := make(chan string, 10)
	stranger := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { strangers <- r.URL.Path }))
	defer stranger.Close()
	for what, lie := range map[string]http.HandlerFunc{
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, stranger.URL+"/stolen", http.StatusTemporaryRedirect)
		},
		"endless headers": func(w http.ResponseWriter, _ *http.Request) {
			for i := range 2000 {
				w.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat("x", 100))
			}
		},
		"no HTTP": func(w http.ResponseWriter, _ *http.Request) {
			c, rw, err := w.(http.Hijacker).Hijack()
			if err != nil {
				panic(err)
			}
			_, _ = rw.WriteString("SSH-2.0-x\r\n")
			_ = rw.Flush()
			_ = c.Close()
		},
	} {
		target := httptest.NewServer(lie)
		h, _ := made(t, Options{Targets: []string{target.URL}, Timeout: 2 * time.Second})
		if err := h.targets[0].post([]byte("{}")); !errors.Is(err, errFailed) {
			t.Errorf("%s: %v", what, err)
		}
		h.cancel()
		target.Close()
	}
	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 32<<10)); err != nil {
				return
			}
		}
	}))
	defer endless.Close()
	h, _ := made(t, Options{Targets: []string{endless.URL}})
	if err := h.targets[0].post([]byte("{}")); err != nil { // it has said 200
		t.Errorf("endless body: %v", err)
	}
	select {
	case path := <-strangers:
		t.Errorf("a redirect was followed to %s", path)
	default:
	}
}

// TestSecrets holds which files are taken, and that another is taken on the way.
func TestSecrets(t *testing.T) {
	for _, bad := range []string{"", "short", "two lines of text\nare no secret at all", strings.Repeat("x", maxSecret+1)} {
		if _, err := New(t.Context(), Options{Targets: []string{"https://a.example/"}, SecretFile: secretFile(t, bad)}); err == nil || bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
	for _, name := range []string{"", filepath.Join(t.TempDir(), "none"), t.TempDir()} {
		if _, err := New(t.Context(), Options{Targets: []string{"https://a.example/"}, SecretFile: name}); err == nil {
			t.Errorf("%q is no error", name)
		}
	}
	h, told := made(t, Options{Targets: []string{"https://a.example/"}})
	other := "another one of enough letters"
	if err := os.WriteFile(h.o.SecretFile, []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(h.o.SecretFile, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := h.Reload(); err != nil || string(*h.secret.Load()) != other || !strings.Contains(told.String(), "chmod 600") {
		t.Errorf("%v, %s, %s", err, *h.secret.Load(), told)
	}
	if err := os.Remove(h.o.SecretFile); err != nil {
		t.Fatal(err)
	}
	if err := h.Reload(); err == nil || string(*h.secret.Load()) != other {
		t.Error("a secret that is gone was noticed too late or too early")
	}
}

func TestOptions(t *testing.T) {
	for _, target := range []string{"", "hooks.example", "http://hooks.example/", "http://127.0.0.1.example/", "ftp://hooks.example/", "https:///x", "mailto:a@b", "https://a/#b", "https://a b/", "\x00"} {
		o := Options{Targets: []string{"https://a.example/", target}}
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), "number 2") {
			t.Errorf("%q: %v", target, err)
		}
	}
	for _, o := range []Options{{Timeout: 1}, {MaxBackoff: 1}, {Batch: -1}, {Queue: -1}, {Events: []string{"bonud"}}, {Targets: make([]string, maxTargets+1)}} {
		if o.Validate() == nil {
			t.Errorf("%+v is no error", o)
		}
	}
	o := Options{Targets: []string{"https://hooks.example/x?y", "http://127.0.0.1:8080", "http://[::1]/", "http://localhost/"}}
	if err := o.Validate(); err != nil {
		t.Error(err)
	}
}

func ExampleSign() {
	fmt.Println(Sign([]byte("correct horse battery"), "1770000000", []byte(`{"events":[]}`)))
	// Output: 4797b33204a6f45978fe713d94d64c6409f61a446259ca8a9e027539ea527e6f
}

func Example() {
	secret, err := os.CreateTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.Remove(secret.Name())
	_, _ = secret.WriteString("correct horse battery")
	done := make(chan string, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var p Post
		_ = json.NewDecoder(r.Body).Decode(&p)
		done <- p.Events[0].Account
	}))
	defer receiver.Close()
	h, err := New(context.Background(), Options{Targets: []string{receiver.URL}, SecretFile: secret.Name()})
	if err != nil {
		panic(err)
	}
	h.Start()
	h.Put(events.Event{Kind: events.AccountDeleted, Account: "juliet@verona.lit"})
	fmt.Println(<-done)
	h.Stop(context.Background())
	// Output: juliet@verona.lit
}
