package main

import (
	"fmt"
	"io"
	"time"

	"weir/integration/torture/history"
)

// most is how many findings are told in full.
const most = 5

// promises are what findings are about.
var promises = []string{"lost", "doubled", "reordered", "unstamped", "copies", "stuck", "bounced", "h", "fault", "archive", "presence", "wrong", "server", "harness"}

// print writes the table and, where promises were broken, their stories.
func (r *report) print(w io.Writer) {
	did := map[history.Deed]int{}
	for _, i := range r.run.Incidents {
		did[i.Deed]++
	}
	fmt.Fprintf(w, "\nseed %d, %d clients, %v\n\n", r.seed, len(r.run.Clients), r.took.Round(time.Second))
	for _, row := range []struct {
		name string
		n    int
	}{
		{"messages sent", r.Sent}, {"acknowledged", r.Acked}, {"received", r.Received}, {"copies", r.Copies}, {"views of contacts", r.Views},
		{"sessions", r.Sessions}, {"resumes", r.Resumes}, {"failed resumes", r.Refused},
		{"kills", did[history.Killed]}, {"torn logs", did["tear"]}, {"clean restarts", did["restart"]},
		{"cuts", did["cut"]}, {"half-open", did["abandon"]}, {"slow readers", did["slow"]}, {"stops (SIGSTOP)", did["pause"]},
		{"disk full", did[history.Filled]}, {"fsync faults", did[history.Faulted]},
		{"returned, to nobody", r.Returned}, {"bounced, disk full", r.Bounced}, {"again in a new session", r.Again}, {"excused", r.Excused},
		{"lost", r.Count("lost")}, {"doubled", r.Count("doubled")}, {"reordered", r.Count("reordered")},
		{"other findings", len(r.Findings) - r.Count("lost") - r.Count("doubled") - r.Count("reordered")},
	} {
		fmt.Fprintf(w, "  %-24s %10d\n", row.name, row.n)
	}
	fmt.Fprintf(w, "  %-24s %10v\n", "max outage", r.Outage.Round(time.Millisecond))
	for _, n := range r.NotChecked {
		fmt.Fprintf(w, "  not checked: %s\n", n)
	}
	r.tell(w)
	if r.dir != "" {
		fmt.Fprintf(w, "\nthe server's data and output and the whole history are in %s\n", r.dir)
	}
}

// tell writes the stories of the first findings of each promise.
func (r *report) tell(w io.Writer) {
	if r.ok() {
		fmt.Fprintf(w, "\nevery promise that was checked was kept\n")
		return
	}
	told := map[string]int{}
	for _, f := range r.Findings {
		if told[f.Promise]++; told[f.Promise] <= most {
			fmt.Fprintln(w)
			r.run.Tell(w, f)
		}
	}
	fmt.Fprintf(w, "\n%d findings:", len(r.Findings))
	for _, p := range promises {
		if n := r.Count(p); n > 0 {
			fmt.Fprintf(w, " %d %s", n, p)
		}
	}
	fmt.Fprintln(w)
}
