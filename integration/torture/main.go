// Command torture holds the promises of weir's session layer against a server
// that is killed, stopped, cut off and starved while clients write to each other:
//
//	go run ./integration/torture -duration 30m -clients 200
//
// It builds the real server, makes accounts, and starts it on free ports of
// 127.0.0.1. Each client is a stream management client of its own (XEP-0198): it
// counts, acknowledges, keeps what is unacknowledged, resumes, and sends the rest
// again. It writes numbered messages to some others, mixed with stanzas that move the
// counters and are not kept. A nemesis with a seed does harm meanwhile. At the end
// everybody comes back, and a checker (package history) goes through what was
// seen. The exit code is 0 if every promise was kept, 1 if not, 2 if the run itself failed.
// docs/torture.md says what the promises are and what the table means.
//
// Flags, with their defaults:
//
//	-seed N           of all that is random (the time); threads and disk are not
//	-duration 30s     how long harm is done
//	-clients 50       accounts, with a client each
//	-devices 5        the most devices of an account: some have further ones that get
//	                  copies of what its client sends and gets (XEP-0280)
//	-rate 2           stanzas a second that each client sends by itself
//	-pause 5s         the longest SIGSTOP
//	-resume-not 0.3   share of clients that often begin a new session in place of resuming
//	-hibernate 20s    session.hibernate of the server, if it has that setting; then a
//	                  fifth of the clients comes back as another resource now and then
//	-nemesis LIST     some of kill,tear,restart,cut,abandon,slow,pause,full,fsync (all)
//	-set S.K=V        a setting of the server as its file has it; may be repeated
//	-binary FILE      a server that is built already (without -tags faults: no full, fsync)
//	-race             build the server with the race detector
//	-dir DIR          folder of the run (a temporary one)
//	-keep             keep that folder although all is well
//	-resend-blind     clients that begin a new session without asking for the old one
//	                  send its unacknowledged messages again half of the time, in place
//	                  of giving them up: for a server that knows them by their origin-id
//	-contacts         accounts are contacts of their neighbours, and what they see of
//	                  each other's presence is checked
//	-loose-acks       excuse what comes again because a kill made the server forget
//	                  an acknowledgement of a client that then began a new session
//	-loose-resends    excuse copies of what a client sent again in a new session
//
// It must not know any package of the server. Start reading at run, then client.live
// and nemesis.work; each client belongs to one goroutine, and so does the nemesis.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(command(ctx, os.Args[1:], os.Stdout))
}

// command is the whole program: it returns the exit code.
func command(ctx context.Context, args []string, out io.Writer) int {
	o, err := parse(args, out)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(out, err)
		return 2
	}
	fmt.Fprintf(out, "seed %d\n", o.seed)
	r, err := run(ctx, o)
	if err != nil {
		fmt.Fprintln(out, err)
		return 2
	}
	r.print(out)
	if !r.ok() {
		return 1
	}
	return 0
}
