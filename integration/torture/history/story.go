package history

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// around is how much of the time before and after a message is told with it.
const around = 1500 * time.Millisecond

// most is how many lines one client's part of a story may have.
const most = 120

// Tell writes everything that was seen of what a finding is about: from its
// sender, its receiver and the nemesis, in the order of time.
func (r *Run) Tell(w io.Writer, f Finding) {
	fmt.Fprintf(w, "%s\n", f)
	type line struct {
		at   time.Duration
		text string
	}
	var lines []line
	from, to := f.At, f.At
	clients := []int32{f.Client}
	if f.About {
		clients = []int32{f.Message.From, f.Message.To}
		for _, c := range clients {
			for _, e := range r.log(c) {
				if about(c, &e, f.Message) {
					from, to = min(from, e.At), max(to, e.At)
				}
			}
		}
	}
	from, to = from-around, to+around
	slices.Sort(clients)
	for _, c := range slices.Compact(clients) {
		n := 0
		for _, e := range r.log(c) {
			if e.At < from || e.At > to || !(milestone(e.Kind) || about(c, &e, f.Message) || !f.About) {
				continue
			}
			if n++; n > most && !about(c, &e, f.Message) {
				continue
			}
			lines = append(lines, line{e.At, fmt.Sprintf("client %d: %s", c, sentence(&e))})
		}
	}
	for _, i := range r.Incidents {
		if i.At >= from && i.At <= to {
			lines = append(lines, line{i.At, fmt.Sprintf("nemesis: %s, process %d %s", i.Deed, i.N, i.Note)})
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int { return int(min(max(a.at-b.at, -1), 1)) })
	for _, l := range lines {
		fmt.Fprintf(w, "  %12s  %s\n", clock(l.at), l.text)
	}
}

func (r *Run) log(client int32) Log {
	if client < 0 || int(client) >= len(r.Clients) {
		return nil
	}
	return r.Clients[client]
}

// milestone reports whether an event belongs to every story of its time.
func milestone(k Kind) bool {
	return k != Sent && k != SentOther && k != Got && k != Bounced && k != Dropped && k != Copied && k != Saw
}

// about reports whether an event is about a message.
func about(client int32, e *Event, m Message) bool {
	switch e.Kind {
	case Sent, Dropped, Bounced:
		return m == Message{client, e.Peer, e.Seq}
	case Copied:
		return m == Message{client, e.Peer, e.Seq} || m == Message{e.Peer, client, e.Seq}
	case Got:
		return m == Message{e.Peer, client, e.Seq}
	}
	return false
}

// sentence tells an event.
func sentence(e *Event) string {
	s := fmt.Sprintf("[session %d, stream %d] %s", e.Session, e.Stream, e.Kind)
	switch e.Kind {
	case Connected, Acked, Gave, Asked, Resumed, SentOther:
		s += fmt.Sprintf(" %d", e.N)
	case Failed:
		if e.Has(HasH) {
			s += fmt.Sprintf(" %d", e.N)
		} else {
			s += " not told"
		}
	case Sent, Got, Copied:
		s += fmt.Sprintf(" %d: message %d with peer %d", e.N, e.Seq, e.Peer)
	case Dropped, Bounced:
		s += fmt.Sprintf(" message %d to peer %d", e.Seq, e.Peer)
	case Saw:
		s += fmt.Sprintf(" client %d", e.Peer)
	}
	for _, f := range []struct {
		bit  uint8
		kind Kind
		word string
	}{{Delayed, Got, "with a delay stamp"}, {Moved, Bound, "as another resource"}, {Full, Sent, "to a full address"}, {FromUs, Copied, "sent by us"},
		{Gone, Saw, "unavailable"}} {
		if e.Kind == f.kind && e.Has(f.bit) {
			s += ", " + f.word
		}
	}
	if e.Note != "" {
		s += " " + e.Note
	}
	return s
}

// Write writes the whole run as text: the nemesis, then each client.
func (r *Run) Write(w io.Writer) error {
	for _, i := range r.Incidents {
		if _, err := fmt.Fprintf(w, "%s nemesis: %s, process %d %s\n", clock(i.At), i.Deed, i.N, i.Note); err != nil {
			return err
		}
	}
	for c, log := range r.Clients {
		for i := range log {
			if _, err := fmt.Fprintf(w, "%s client %d: %s\n", clock(log[i].At), c, sentence(&log[i])); err != nil {
				return err
			}
		}
	}
	for i, d := range r.Devices {
		for k := range d.Log {
			if _, err := fmt.Fprintf(w, "%s device %d of client %d: %s\n", clock(d.Log[k].At), i, d.Account, sentence(&d.Log[k])); err != nil {
				return err
			}
		}
	}
	return nil
}
