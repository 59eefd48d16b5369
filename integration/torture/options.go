package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// options are the settings of a run; the flags of the same names are explained in
// the package comment.
type options struct {
	seed      uint64
	duration  time.Duration
	clients   int
	devices   int
	rate      float64
	pause     time.Duration
	resumeNot float64
	hibernate string
	nemesis   []string
	set       []string
	binary    string
	race      bool
	dir       string
	keep      bool
	looseAcks bool
	looseSend bool
	blind     bool
	friends   bool

	out io.Writer // gets the progress
	// quiet is how long the end of the run may take until nothing more comes, beyond
	// the longest SIGSTOP.
	quiet time.Duration
	env   []string // added to the environment of the server
}

// defaults returns the settings of a run that nobody configured.
func defaults() options {
	return options{seed: uint64(time.Now().UnixNano()), duration: 30 * time.Second, clients: 50, devices: 5, rate: 2,
		pause: 5 * time.Second, resumeNot: 0.3, hibernate: "20s", quiet: time.Minute, nemesis: slices.Clone(deeds), out: io.Discard}
}

// parse reads the command line.
func parse(args []string, out io.Writer) (options, error) {
	o := defaults()
	o.out = out
	f := o.flags(out)
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("torture: it takes flags only, not %q", f.Args())
	}
	return o, o.validate()
}

// flags are the command line's; parsing them sets the options.
func (o *options) flags(out io.Writer) *flag.FlagSet {
	f := flag.NewFlagSet("torture", flag.ContinueOnError)
	f.SetOutput(out)
	f.Uint64Var(&o.seed, "seed", o.seed, "seed of everything that is random; default: the time")
	f.DurationVar(&o.duration, "duration", o.duration, "how long the nemesis works")
	f.IntVar(&o.clients, "clients", o.clients, "how many accounts, with a client each")
	f.IntVar(&o.devices, "devices", o.devices, "the most devices that an account has, if the server has carbons")
	f.Float64Var(&o.rate, "rate", o.rate, "stanzas a second that each client sends by itself")
	f.DurationVar(&o.pause, "pause", o.pause, "the longest SIGSTOP")
	f.Float64Var(&o.resumeNot, "resume-not", o.resumeNot, "the share of clients that often begin a new session after a break")
	f.StringVar(&o.hibernate, "hibernate", o.hibernate, "session.hibernate of the server, if it has that setting")
	f.Func("nemesis", "what the nemesis does, with commas; default "+strings.Join(deeds, ","), func(s string) error {
		o.nemesis = strings.Split(s, ",")
		return nil
	})
	f.Func("set", "a setting of the server, SECTION.KEY=VALUE in the form of its file; may be repeated", func(s string) error {
		o.set = append(o.set, s)
		return nil
	})
	f.StringVar(&o.binary, "binary", "", "a server to test in place of one built from ./cmd/weir (with -tags faults)")
	f.BoolVar(&o.race, "race", false, "build the server with the race detector")
	f.StringVar(&o.dir, "dir", "", "folder of the run; default: a new one in the folder for temporary files")
	f.BoolVar(&o.keep, "keep", false, "keep that folder, with the history, although all is well")
	f.BoolVar(&o.looseAcks, "loose-acks", false, "excuse what comes again in a new session because a kill made the server forget an acknowledgement")
	f.BoolVar(&o.friends, "contacts", false, "make accounts contacts of each other, and check what they see of each other's presence")
	f.BoolVar(&o.blind, "resend-blind", false, "who begins a new session without asking sends again half of the time: for a server that knows messages by their origin-id")
	f.BoolVar(&o.looseSend, "loose-resends", false, "excuse copies of what a client sent again in a new session")
	return f
}

func (o *options) validate() error {
	switch {
	case o.clients < 2:
		return errors.New("torture: it takes two clients at least")
	case o.devices < 1 || o.devices > 9:
		return fmt.Errorf("torture: %d devices", o.devices)
	case o.rate <= 0 || o.rate > 1000:
		return fmt.Errorf("torture: a rate of %v", o.rate)
	case o.duration < time.Second:
		return fmt.Errorf("torture: %v is too short", o.duration)
	case o.pause < 10*time.Millisecond || o.pause > 5*time.Minute:
		return fmt.Errorf("torture: a pause of %v", o.pause)
	}
	for _, n := range o.nemesis {
		if !slices.Contains(deeds, n) {
			return fmt.Errorf("torture: the nemesis doesn't know %q, only %s", n, strings.Join(deeds, ", "))
		}
	}
	return nil
}
