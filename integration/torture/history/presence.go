package history

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// face is what the log of one client says of presence, up to a time.
type face struct {
	session     int32
	up          bool   // it has a stream
	resource    string // "" until its presence came back
	status      string // what it showed last
	sent, acked uint32
	view        map[seen]string // of whom it sees; "" is unavailable
	before      map[seen]string // the status that was there before it was unavailable
}

// seen is one resource of a contact.
type seen struct {
	peer     int32
	resource string
}

// settled reports whether everybody has to know what the client shows.
func (f *face) settled() bool { return f.up && f.resource != "" && f.acked == f.sent }

// take reads on. It returns what may not be of a presence that came.
func (f *face) take(e *Event) (wrong string) {
	switch e.Kind {
	case Bound:
		*f = face{session: e.Session, view: map[seen]string{}, before: map[seen]string{}}
	case Enabled:
		f.up = true
	case Connected, Ended:
		f.up = false
	case Available:
		f.resource = e.Note
	case Sent, SentOther:
		f.sent = max(f.sent, e.N)
		if e.Has(Shows) {
			f.status = e.Note
		}
	case Acked, Resumed:
		f.up, f.acked = true, e.N
	case Saw:
		return f.saw(e)
	}
	return ""
}

func (f *face) saw(e *Event) (wrong string) {
	resource, status, _ := strings.Cut(e.Note, " ")
	who := seen{e.Peer, resource}
	switch {
	case e.Has(Gone) && resource == "":
		for k := range f.view {
			if k.peer == e.Peer {
				f.leave(k)
			}
		}
	case e.Has(Gone):
		f.leave(who)
	default:
		if was := f.before[who]; f.view[who] == "" && was != "" && SessionOf(was) == SessionOf(status) && SessionOf(was) != "" {
			wrong = fmt.Sprintf("saw client %d as %s leave and come back, although its session %s went on", e.Peer, resource, SessionOf(was))
		}
		f.view[who] = status
	}
	return wrong
}

func (f *face) leave(who seen) {
	if was := f.view[who]; was != "" {
		f.before[who] = was
	}
	f.view[who] = ""
}

// Status is what a session shows: n counts what it has shown.
func Status(session, n int32) string { return fmt.Sprintf("s%d-%d", session, n) }

// SessionOf returns the part of a status that names the session, "" if there is none.
func SessionOf(status string) string {
	s, _, ok := strings.Cut(status, "-")
	if !ok || !strings.HasPrefix(s, "s") {
		return ""
	}
	return s
}

// presence holds that nobody sees a contact leave whose session goes on, and that
// whenever all is quiet everybody sees what each contact shows: no resource that
// isn't there, none missing, and its last status.
func (j *judge) presence() {
	if j.run.Contacts == nil {
		j.NotChecked = append(j.NotChecked, "presence (not asked for by -contacts, or the server doesn't offer pre-approved subscriptions)")
		return
	}
	clients, devices := make([]face, len(j.run.Clients)), make([]face, len(j.run.Devices))
	read, readDevices := make([]int, len(clients)), make([]int, len(devices))
	for _, i := range j.run.Incidents {
		if i.Deed != Quiet {
			continue
		}
		for c := range clients {
			read[c] = j.readFace(&clients[c], int32(c), j.run.Clients[c], read[c], i.At)
		}
		for d := range devices {
			readDevices[d] = j.readFace(&devices[d], -1, j.run.Devices[d].Log, readDevices[d], i.At)
		}
		for c := range clients {
			for _, contact := range j.run.Contacts[c] {
				j.view(int32(c), &clients[c], contact, &clients[contact], devices, i.At)
			}
		}
	}
}

// readFace reads a log from an event on, up to a time, and returns how far it got.
func (j *judge) readFace(f *face, client int32, log Log, from int, until time.Duration) int {
	for from < len(log) && log[from].At <= until {
		e := &log[from]
		if wrong := f.take(e); wrong != "" {
			j.Findings = append(j.Findings, Finding{Promise: "presence", Client: client, At: e.At, What: wrong})
		}
		from++
	}
	return from
}

// view holds what a client sees of a contact against what the contact shows.
func (j *judge) view(client int32, f *face, contact int32, shown *face, devices []face, at time.Duration) {
	if !f.settled() || !shown.settled() {
		return
	}
	want := map[string]string{shown.resource: shown.status}
	for d := range devices {
		if j.run.Devices[d].Account != contact {
			continue
		}
		if !devices[d].settled() {
			return
		}
		want[devices[d].resource] = devices[d].status
	}
	got := map[string]string{}
	for who, status := range f.view {
		if who.peer == contact && status != "" {
			got[who.resource] = status
		}
	}
	j.Views++
	if !maps.Equal(got, want) {
		j.Findings = append(j.Findings, Finding{Promise: "presence", Client: client, At: at,
			What: fmt.Sprintf("sees client %d as %s, and it is %s", contact, listed(got), listed(want))})
	}
}

func listed(m map[string]string) string {
	var all []string
	for resource, status := range m {
		all = append(all, resource+" "+status)
	}
	slices.Sort(all)
	return "[" + strings.Join(all, ", ") + "]"
}
