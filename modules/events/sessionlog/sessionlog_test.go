package sessionlog

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/modules/events"

	"github.com/prometheus/client_golang/prometheus"
)

func made(t *testing.T, o Options) *Log {
	t.Helper()
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func started(t *testing.T, l *Log) {
	t.Helper()
	if err := l.Start(); err != nil {
		t.Fatal(err)
	}
}

func stopped(t *testing.T, l *Log) {
	t.Helper()
	if err := l.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// lines reads a file's events; a line that is none is told as one of the kind "torn".
func lines(t *testing.T, name string) (all []events.Event) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) > 0 && b[len(b)-1] != '\n' {
		t.Errorf("%s doesn't end with a line", name)
	}
	for line := range bytes.Lines(b) {
		var e events.Event
		if err := json.Unmarshal(line, &e); err != nil {
			e.Kind = "torn"
		}
		all = append(all, e)
	}
	return all
}

func numbered(i int) events.Event {
	return events.Event{Kind: events.Bound, Session: fmt.Sprintf("s%04d", i), Account: "juliet@verona.lit", Resource: strings.Repeat("r", 100)}
}

// TestSizes: files are turned over before they are too large, the oldest go, and
// nothing is lost or doubled in those that are left.
func TestSizes(t *testing.T) {
	name := filepath.Join(t.TempDir(), "sessions.log")
	l := made(t, Options{File: name, MaxSize: minSize, Keep: 2})
	started(t, l)
	for i := range 300 {
		l.Put(numbered(i))
	}
	stopped(t, l)
	var all []events.Event
	for _, f := range []string{name + ".2", name + ".1", name} {
		fi, err := os.Stat(f)
		if err != nil || fi.Size() > minSize || fi.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", f, fi, err)
		}
		all = append(all, lines(t, f)...)
	}
	if _, err := os.Stat(name + ".3"); err == nil {
		t.Error("a third old file is kept")
	}
	if len(all) < 30 {
		t.Fatalf("only %d events", len(all))
	}
	for i, e := range all {
		if want := numbered(300 - len(all) + i).Session; e.Session != want {
			t.Fatalf("event %d is %s, want %s", i, e.Session, want)
		}
	}
}

// TestReopen: a file that was moved away is left alone, and another begun; one that
// was cut off in the middle of a line spoils no other.
func TestReopen(t *testing.T) {
	name := filepath.Join(t.TempDir(), "sessions.log")
	if err := os.WriteFile(name, []byte(`{"event":"bou`), 0o600); err != nil {
		t.Fatal(err)
	}
	l := made(t, Options{File: name, Events: []string{events.Bound}})
	l.Put(numbered(0))
	l.Put(events.Event{Kind: events.Closed}) // not asked for
	started(t, l)
	if err := os.Rename(name, name+".moved"); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(name); err != nil {
		t.Error(err)
	}
	l.Put(numbered(1))
	stopped(t, l)
	all := append(lines(t, name+".moved"), lines(t, name)...)
	if len(all) != 3 || all[0].Kind != "torn" || all[1].Session != "s0000" || all[2].Session != "s0001" {
		t.Errorf("%+v", all)
	}
}

// TestTrouble: what can't be written is lost, counted, told once in the log, and
// told in the file when it can.
func TestTrouble(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	name := filepath.Join(dir, "sessions.log")
	if err := made(t, Options{File: name}).Start(); err == nil {
		t.Error("a folder that isn't there is no error")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	var told bytes.Buffer
	reg := prometheus.NewRegistry()
	l := made(t, Options{File: name, Queue: 4, Log: slog.New(slog.NewTextHandler(&told, nil)), Metrics: reg})
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err == nil {
		t.Error("a file that can't be opened is no error")
	}
	for range 2 { // as the writer does
		l.Put(numbered(1))
		l.took(l.queue.Take(t.Context(), 1))
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		l.Put(numbered(i))
	}
	started(t, l)
	stopped(t, l)
	all := lines(t, name)
	if len(all) != 5 || all[0].Kind != events.Dropped || all[0].Count != 4 || all[1].Session != "s0002" || all[4].Session != "s0005" {
		t.Errorf("%+v", all)
	}
	if strings.Count(told.String(), "level=ERROR") != 1 {
		t.Errorf("not told once:\n%s", &told)
	}
	counted, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range counted {
		if want := map[string]float64{"weir_sessionlog_dropped_total": 4, "weir_sessionlog_written_total": 5}[f.GetName()]; f.Metric[0].Counter.GetValue() != want {
			t.Errorf("%v, want %v", f, want)
		}
	}
}

// TestFull: on a full disk the events are lost, and nothing waits.
func TestFull(t *testing.T) {
	l := made(t, Options{File: "/dev/full"})
	if err := l.Start(); err == nil || !strings.Contains(err.Error(), "is no file") {
		t.Errorf("a device: %v", err)
	}
	f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no /dev/full here")
	}
	l.file = &file{f: f}
	l.Put(numbered(0))
	l.took(l.queue.Take(t.Context(), 1))
	if l.file != nil || !l.failing {
		t.Error("nothing was noticed")
	}
	l.Put(numbered(1))
	if some := l.queue.Take(t.Context(), 9); len(some) != 2 || some[0].Count != 1 {
		t.Errorf("%+v", some)
	}
	stopped(t, l)
}

func TestOptions(t *testing.T) {
	for _, o := range []Options{{MaxSize: 1}, {Keep: -1}, {Queue: -1}, {Events: []string{"bonud"}}} {
		o.File = "x"
		if _, err := New(o); err == nil {
			t.Errorf("%+v is no error", o)
		}
	}
	if _, err := New(Options{}); err == nil {
		t.Error("no file is no error")
	}
}

func Example() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	l, err := New(Options{File: filepath.Join(dir, "sessions.log")})
	if err == nil {
		err = l.Start()
	}
	if err != nil {
		panic(err)
	}
	l.Put(events.Event{Kind: events.AccountDeleted, Account: "juliet@verona.lit"})
	if err := l.Stop(context.Background()); err != nil {
		panic(err)
	}
	b, err := os.ReadFile(l.o.File)
	fmt.Print(string(b), err)
	// Output:
	// {"time":"0001-01-01T00:00:00Z","event":"account-deleted","account":"juliet@verona.lit"}
	// <nil>
}
