package main

import (
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// against runs against the fake with a bug, "none" for none.
func against(t *testing.T, bug string, o options) (*report, error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	o.env = []string{fakeVariable + "=" + bug}
	o.binary, o.dir, o.blind = self, t.TempDir(), true // it knows messages by their origin-id
	o.nemesis = slices.DeleteFunc(slices.Clone(deeds), func(d string) bool { return d == "full" || d == "fsync" })
	return run(t.Context(), o)
}

// short is a run that a test has time for.
func short() options {
	o := defaults()
	o.seed, o.duration, o.clients, o.rate, o.pause, o.hibernate = 1, 6*time.Second, 12, 10, 300*time.Millisecond, ""
	return o
}

// TestAgainstFake: a server that keeps the promises is found to keep them.
func TestAgainstFake(t *testing.T) {
	t.Parallel()
	o := short()
	o.duration = 12 * time.Second // long enough for each deed once
	r, err := against(t, "none", o)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	r.print(&b)
	t.Log(b.String())
	if !r.ok() {
		t.Error("findings, and the server keeps its promises")
	}
	if r.Sent < 100 || r.Resumes < 10 || r.Refused == 0 {
		t.Errorf("too little happened: %d sent, %d resumed, %d refused", r.Sent, r.Resumes, r.Refused)
	}
}

// bugs are the fake's, and what each has to be found as.
var bugs = map[string]string{
	"forgets":    "lost",    // acknowledges a message that a kill makes it forget
	"drops":      "lost",    // loses one of what a session left unacknowledged
	"redelivers": "doubled", // doesn't look at the h of <resume/>
	"copies":     "doubled", // doesn't know a message by its origin-id
	"falls":      "h",       // tells an older h
	"unarchived": "archive", // leaves some out of the sender's archive
}

// TestBugsAreFound: servers that break a promise each are found out.
func TestBugsAreFound(t *testing.T) {
	if testing.Short() {
		t.Skip("six servers at a time: the race step of CI has TestAgainstFake, which runs the same code")
	}
	t.Parallel()
	var wg sync.WaitGroup
	for bug, want := range bugs {
		wg.Go(func() { // not subtests: they wait for each other on few cores
			for try := uint64(1); ; try++ { // a busy machine may not get far in one run
				o := short()
				o.seed += 100 * try
				o.quiet = 5 * time.Second // what is lost isn't waited for
				r, err := against(t, bug, o)
				switch {
				case err != nil:
					t.Errorf("%s: %v", bug, err)
				case r.Count(want) == 0 && try < 4:
					continue
				case len(r.Findings) > 0: // seen, if not by its best sign
				case r.Count(want) == 0:
					t.Errorf("%s: nothing was found to be %s: %v", bug, want, r.Findings)
				}
				return
			}
		})
	}
	wg.Wait()
}

// TestShortRun is a run against the real server.
func TestShortRun(t *testing.T) {
	if testing.Short() {
		t.Skip("the race step of CI: half a minute of a whole server beside other tests is too long there")
	}
	t.Parallel()
	o := defaults()
	o.seed, o.duration, o.clients, o.rate, o.pause, o.hibernate, o.keep = 1, 20*time.Second, 20, 5, time.Second, "3s", true
	o.friends = true
	o.dir = t.TempDir()
	r, err := run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	r.print(&b)
	t.Log(b.String())
	if !r.ok() {
		t.Error("promises were broken")
	}
}

func TestFlags(t *testing.T) {
	for _, c := range []struct {
		args string
		ok   bool
	}{
		{"-seed 7 -duration 30m -clients 200 -rate 1 -pause 30s", true},
		{"-nemesis kill,cut -set storage.durability=\"process\"", true},
		{"-clients 1", false},
		{"-nemesis kill,sing", false},
		{"-rate 0", false},
		{"-duration 1ms", false},
		{"-pause 1h", false},
		{"now", false},
		{"-no", false},
	} {
		var b strings.Builder
		if _, err := parse(strings.Fields(c.args), &b); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.args, err)
		}
	}
}
