package roster

import (
	"strings"
	"testing"
)

// appendixA are the eight tables of RFC 6121 Appendix A, word by word.
const appendixA = `
outbound subscribe
   |  "None"                  |  MUST [1] |  "None + Pending Out"     |
   |  "None + Pending Out"    |  MUST     |  no state change          |
   |  "None + Pending In"     |  MUST [1] |  "None + Pending Out+In"  |
   |  "None + Pending Out+In" |  MUST     |  no state change          |
   |  "To"                    |  MUST     |  no state change          |
   |  "To + Pending In"       |  MUST     |  no state change          |
   |  "From"                  |  MUST [1] |  "From + Pending Out"     |
   |  "From + Pending Out"    |  MUST     |  no state change          |
   |  "Both"                  |  MUST     |  no state change          |
outbound unsubscribe
   |  "None"                  |  MUST    |  no state change          |
   |  "None + Pending Out"    |  MUST    |  "None"                   |
   |  "None + Pending In"     |  MUST    |  no state change          |
   |  "None + Pending Out+In" |  MUST    |  "None + Pending In"      |
   |  "To"                    |  MUST    |  "None"                   |
   |  "To + Pending In"       |  MUST    |  "None + Pending In"      |
   |  "From"                  |  MUST    |  no state change          |
   |  "From + Pending Out"    |  MUST    |  "From"                   |
   |  "Both"                  |  MUST    |  "From"                   |
outbound subscribed
   |  "None"                  |  M.N.    |  pre-approval [1]         |
   |  "None + Pending Out"    |  M.N.    |  pre-approval [1]         |
   |  "None + Pending In"     |  MUST    |  "From"                   |
   |  "None + Pending Out+In" |  MUST    |  "From + Pending Out"     |
   |  "To"                    |  M.N.    |  pre-approval [1]         |
   |  "To + Pending In"       |  MUST    |  "Both"                   |
   |  "From"                  |  M.N.    |  no state change          |
   |  "From + Pending Out"    |  M.N.    |  no state change          |
   |  "Both"                  |  M.N.    |  no state change          |
outbound unsubscribed
   |  "None"                  |  S.N.    |  no state change [1]      |
   |  "None + Pending Out"    |  S.N.    |  no state change [1]      |
   |  "None + Pending In"     |  MUST    |  "None"                   |
   |  "None + Pending Out+In" |  MUST    |  "None + Pending Out"     |
   |  "To"                    |  S.N.    |  no state change [1]      |
   |  "To + Pending In"       |  MUST    |  "To"                     |
   |  "From"                  |  MUST    |  "None"                   |
   |  "From + Pending Out"    |  MUST    |  "None + Pending Out"     |
   |  "Both"                  |  MUST    |  "To"                     |
inbound subscribe
   |  "None"                  |  MUST [1]  |  "None + Pending In"     |
   |  "None + Pending Out"    |  MUST      |  "None + Pending Out+In" |
   |  "None + Pending In"     |  S.N.      |  no state change         |
   |  "None + Pending Out+In" |  S.N.      |  no state change         |
   |  "To"                    |  MUST      |  "To + Pending In"       |
   |  "To + Pending In"       |  S.N.      |  no state change         |
   |  "From"                  |  S.N. [2]  |  no state change         |
   |  "From + Pending Out"    |  S.N. [2]  |  no state change         |
   |  "Both"                  |  S.N. [2]  |  no state change         |
inbound unsubscribe
   |  "None"                  |  S.N.      |  no state change         |
   |  "None + Pending Out"    |  S.N.      |  no state change         |
   |  "None + Pending In"     |  MUST [1]  |  "None"                  |
   |  "None + Pending Out+In" |  MUST [1]  |  "None + Pending Out"    |
   |  "To"                    |  S.N.      |  no state change         |
   |  "To + Pending In"       |  MUST [1]  |  "To"                    |
   |  "From"                  |  MUST [1]  |  "None"                  |
   |  "From + Pending Out"    |  MUST [1]  |  "None + Pending Out"    |
   |  "Both"                  |  MUST [1]  |  "To"                    |
inbound subscribed
   |  "None"                  |  S.N.      |  no state change         |
   |  "None + Pending Out"    |  MUST      |  "To"                    |
   |  "None + Pending In"     |  S.N.      |  no state change         |
   |  "None + Pending Out+In" |  MUST      |  "To + Pending In"       |
   |  "To"                    |  S.N.      |  no state change         |
   |  "To + Pending In"       |  S.N.      |  no state change         |
   |  "From"                  |  S.N.      |  no state change         |
   |  "From + Pending Out"    |  MUST      |  "Both"                  |
   |  "Both"                  |  S.N.      |  no state change         |
inbound unsubscribed
   |  "None"                  |  S.N.      |  no state change         |
   |  "None + Pending Out"    |  MUST      |  "None"                  |
   |  "None + Pending In"     |  S.N.      |  no state change         |
   |  "None + Pending Out+In" |  MUST      |  "None + Pending In"     |
   |  "To"                    |  MUST      |  "None"                  |
   |  "To + Pending In"       |  MUST      |  "None + Pending In"     |
   |  "From"                  |  S.N.      |  no state change         |
   |  "From + Pending Out"    |  MUST      |  "From"                  |
   |  "Both"                  |  MUST      |  "From"                  |
`

// row is one line of the RFC's tables.
type row struct {
	event           Event
	state           State
	pass, next      string
	footPass        string // the foot note at ROUTE? or DELIVER?
	line            string
	preApproval     bool
	noChange        bool
	revokesApproval bool
}

func rfcRows(t *testing.T) []row {
	t.Helper()
	byName := map[string]State{}
	for s := range states {
		byName[s.String()] = s
	}
	var rows []row
	event := events
	for line := range strings.Lines(appendixA) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			for e := range events {
				if e.String() == line {
					event = e
				}
			}
			continue
		}
		f := strings.Split(line, "|")
		state, ok := byName[strings.Trim(f[1], ` "`)]
		if !ok || event == events {
			t.Fatalf("can't read %s", line)
		}
		pass, foot, _ := strings.Cut(strings.TrimSpace(f[2]), " ")
		next := strings.TrimSpace(f[3])
		rows = append(rows, row{
			event: event, state: state, pass: pass, footPass: foot, line: line,
			next:        strings.Trim(next, `"`),
			preApproval: strings.HasPrefix(next, "pre-approval"),
			noChange:    strings.HasPrefix(next, "no state change"), revokesApproval: strings.HasSuffix(next, "[1]") && strings.HasPrefix(next, "no"),
		})
	}
	return rows
}

// TestTableIsAppendixA compares every cell with the RFC's text, RFC 6121 Appendix A.
func TestTableIsAppendixA(t *testing.T) {
	rows := rfcRows(t)
	if len(rows) != int(events)*int(states) {
		t.Fatalf("%d rows, want %d", len(rows), int(events)*int(states))
	}
	for _, r := range rows {
		t.Run(r.event.String()+" in "+r.state.String(), func(t *testing.T) {
			c := Lookup(r.state, false, r.event)
			if want := r.pass == "MUST"; c.Pass != want {
				t.Errorf("%s: Pass=%v", r.line, c.Pass)
			}
			want := r.next
			if r.noChange || r.preApproval {
				want = r.state.String()
			}
			if c.Next.String() != want {
				t.Errorf("%s: goes to %s", r.line, c.Next)
			}
			if r.preApproval != (c.Approval == Approve) {
				t.Errorf("%s: Approval=%v", r.line, c.Approval)
			}
			if r.revokesApproval && c.Approval != Revoke {
				t.Errorf("%s: must cancel a pre-approval", r.line)
			}
			reply := ""
			switch {
			case r.event == InSubscribe && r.footPass == "[2]":
				reply = "subscribed" // [2] Server SHOULD auto-reply with "subscribed".
			case r.event == InUnsubscribe && r.footPass == "[1]":
				reply = "unsubscribed" // [1] Server SHOULD auto-reply with "unsubscribed".
			}
			if c.Reply != reply {
				t.Errorf("%s: replies %q", r.line, c.Reply)
			}
		})
	}
}

// TestTablePreApproval holds the cells of a pre-approved contact against
// RFC 6121 §3.4.2.
func TestTablePreApproval(t *testing.T) {
	auto := map[State]State{None: From, NonePendingOut: FromPendingOut, To: Both}
	for e := range events {
		for s := range states {
			plain, approved := Lookup(s, false, e), Lookup(s, true, e)
			next, isAuto := auto[s]
			if e != InSubscribe || !isAuto {
				if approved != plain {
					t.Errorf("%s in %s: a pre-approval makes a difference", e, s)
				}
				continue
			}
			// "MUST NOT deliver a presence stanza of type "subscribe" from the contact to
			// the user, but instead MUST automatically respond"
			want := Cell{Next: next, Push: true, Reply: "subscribed"}
			if approved != want {
				t.Errorf("%s in %s, approved: %+v, want %+v", e, s, approved, want)
			}
		}
	}
}

// TestTablePushes: a push is due exactly if what clients see of the item changes
// (RFC 6121 §2.6.3, definition of a roster modification).
func TestTablePushes(t *testing.T) {
	for e := range events {
		for s := range states {
			for _, approved := range []bool{false, true} {
				c := Lookup(s, approved, e)
				visible := c.Next.Subscription() != s.Subscription() || c.Next.PendingOut() != s.PendingOut()
				if want := visible || (c.Approval != Keep && c.Next == s); c.Push != want {
					t.Errorf("%s in %s, approved %v: Push=%v", e, s, approved, c.Push)
				}
			}
		}
	}
}

// TestStates checks the nine states against RFC 6121 §A.1: what the roster shows
// of them, and what is pending.
func TestStates(t *testing.T) {
	for s := range states {
		name := s.String()
		base, pending, _ := strings.Cut(name, " + Pending ")
		if got := s.Subscription(); got != strings.ToLower(base) {
			t.Errorf("%s shows as %s", name, got)
		}
		if s.PendingOut() != strings.HasPrefix(pending, "Out") || s.PendingIn() != strings.HasSuffix(pending, "In") {
			t.Errorf("%s: out %v, in %v", name, s.PendingOut(), s.PendingIn())
		}
		if s.HasTo() != (base == "To" || base == "Both") || s.HasFrom() != (base == "From" || base == "Both") {
			t.Errorf("%s: to %v, from %v", name, s.HasTo(), s.HasFrom())
		}
	}
	if State(200).String() != "invalid" || OutSubscribed.Arriving() != InSubscribed || InUnsubscribe.String() != "inbound unsubscribe" {
		t.Error("names")
	}
	if _, ok := Outbound("probe"); ok {
		t.Error("a probe is no subscription stanza")
	}
}

func BenchmarkLookup(b *testing.B) {
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		for e := range events {
			for s := range states {
				if Lookup(s, n&1 == 1, e).Pass {
					n++
				}
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(int(events)*int(states)), "ns/lookup")
}
