package main

import (
	"strings"
	"testing"
	"time"

	"weir/sessionmgr"
)

// TestShowStory holds how the way of a session is shown.
func TestShowStory(t *testing.T) {
	now := time.Date(2026, 5, 1, 8, 0, 0, 0, time.Local)
	st := sessionmgr.Story{
		Session: sessionmgr.Description{ID: "7qk2c6xq3v5yh4s2", JID: "juliet@localhost/balcony"},
		Steps: []sessionmgr.Step{
			{At: now.Add(-time.Hour), State: "c2s", What: "resource bound"},
			{At: now.Add(-time.Minute), State: "c2s_destroyed", What: "ended", Cause: "kicked: late"},
		},
	}
	var b strings.Builder
	if err := showStory(&b, st, now); err != nil {
		t.Fatal(err)
	}
	if got, want := b.String(), "7qk2c6xq3v5yh4s2 juliet@localhost/balcony\n"+
		"WHEN                          STATE          WHAT            CAUSE\n"+
		"2026-05-01 07:00:00 (1h ago)  c2s            resource bound  -\n"+
		"2026-05-01 07:59:00 (1m ago)  c2s_destroyed  ended           kicked: late\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
