package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestConversation(t *testing.T) {
	long := strings.Repeat("ham and eggs ", 20)
	hint := `Say "lunch" to order, or "order" to hear what you ordered.`
	var now talk
	for i, step := range []struct{ id, said, want string }{
		{"1", "hello", hint},
		{"2", "order", "You have ordered nothing."},
		{"3", " Lunch ", "What would you like?"},
		{"3", " Lunch ", "What would you like?"}, // the same again, after a crash
		{"4", long, "In fewer words, please."},
		{"5", "pasta", "pasta it is."},
		{"5", "pasta", "pasta it is."},
		{"", "order", "You wanted pasta."},
		{"", "pasta", hint}, // without an id nothing is known of what comes again
		{strings.Repeat("x", 300), "lunch", "What would you like?"},
		{"6", "order", "order it is."},
		{"7", "lunch", "What would you like?"},
		{strings.Repeat("<", 200), strings.Repeat("<", 200), strings.Repeat("<", 200) + " it is."}, // six bytes each as JSON
	} {
		var got string
		if now, got = now.next(step.said, step.id); got != step.want {
			t.Errorf("step %d, %.20q: %q, want %q", i, step.said, got, step.want)
		}
		kept, err := json.Marshal(now)
		if err != nil || len(kept) > 8<<10 {
			t.Errorf("step %d: %d bytes are to be kept: %v", i, len(kept), err)
		}
	}
}
