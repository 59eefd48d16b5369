package sessionmgr

import (
	"context"
	"testing"

	"weir/jid"
)

// TestHiddenRecordsGo: what is not to be archived is gone from the disk once
// those have it who were to get it, however many they are and whether they
// acknowledge it or just read it.
func TestHiddenRecordsGo(t *testing.T) {
	const secret = "<message to='juliet@verona.lit' type='chat'><body>burn this</body><no-permanent-store xmlns='urn:xmpp:hints'/></message>"
	tests := []struct {
		name string
		acks []bool // the sessions that get it: with stream management or without
		late bool   // they come later
	}{
		{"one that acknowledges", []bool{true}, false},
		{"one that reads", []bool{false}, false},
		{"two that acknowledge", []bool{true, true}, false},
		{"one of each", []bool{true, false}, false},
		{"two that read", []bool{false, false}, false},
		{"one that comes later and acknowledges", []bool{true}, true},
		{"one that comes later and reads", []bool{false}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t)
			romeo := h.bind("romeo@verona.lit/orchard")
			romeo.enable() // so that all of it is logged
			var all []*client
			come := func() {
				for i, acks := range tt.acks {
					c := h.bind("juliet@verona.lit/" + string(rune('a'+i)))
					if acks {
						c.enable()
					}
					c.available(0)
					h.settle()
					all = append(all, c)
				}
			}
			if !tt.late {
				come()
			}
			romeo.send(secret)
			h.settle()
			if n := h.logged("juliet@verona.lit"); n != 1 {
				t.Fatalf("%d records before anybody has it", n)
			}
			if tt.late {
				come()
			}
			for i, c := range all {
				c.want("burn this")
				if tt.acks[i] {
					c.ack(1)
				}
			}
			romeo.send(secret) // the next brings it to an end where nobody acknowledges
			h.settle()
			for i, c := range all {
				c.want("burn this")
				if tt.acks[i] {
					c.ack(2)
				}
				h.Closed(c.Session, c, Cause{Code: ClosedByClient})
			}
			h.settle()
			h.inOrder(func() { h.pipe.openBatch() })
			h.settle()
			if n := h.logged("juliet@verona.lit"); n != 0 {
				t.Errorf("%d records are left", n)
			}
		})
	}
}

// logged returns how many records an account's log has.
func (h *house) logged(account string) (n int) {
	h.t.Helper()
	err := h.logs.Scan(context.Background(), jid.MustParse(account).String(), 0, func(uint64, []byte) bool { n++; return true })
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}
