package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"weir/admin"

	"github.com/spf13/cobra"
)

func sessionWatchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "watch [ACCOUNT]",
		Short: "Show what happens to sessions as it happens",
		Long: `Show what happens to sessions as it happens, until Ctrl-C: who connects, logs in,
binds, becomes available, hibernates, resumes, is replaced, ends, and why. First come
those who are there. With --stanzas every stanza from and to them is told with its kind,
its addresses and its size; what it says is shown with --bodies only. Whoever is too
slow is told how many events were missed: nobody waits for a watcher.

--record writes what the sessions do to a file as a stream script, which the
integration tests can replay. Accounts get the names of those tests, texts become x
unless --bodies is given; attributes, such as names of contacts, stay.`,
		Example: `  weir session watch
  weir session watch juliet@localhost --stanzas
  weir session watch --software "Old Client" --for 10m
  weir session watch juliet@localhost --record juliet.txtar`,
		Args: atMostOne("an account"),
	}
	flags := sessionFlagsOf(cmd)
	query := queryOf(cmd)
	stanzas := cmd.Flags().Bool("stanzas", false, "tell stanzas too: kind, addresses and size")
	bodies := cmd.Flags().Bool("bodies", false, "show what stanzas say")
	length := cmd.Flags().Duration("for", 0, "stop watching after this `DURATION`")
	file := cmd.Flags().String("record", "", "write a stream script to this new `FILE`")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := ofAccount(query, args); err != nil {
			return err
		}
		if *length < 0 {
			return errors.New("--for takes no negative time")
		}
		what := admin.WatchNone
		switch {
		case *bodies && (*stanzas || *file != ""):
			what = admin.WatchFull
		case *bodies:
			return errors.New("--bodies goes with --stanzas or --record")
		case *file != "":
			what = admin.WatchMasked
		case *stanzas:
			what = admin.WatchKinds
		}
		return flags.with(cmd, func(ctx context.Context, t *target) error {
			show := func(e admin.Event) error { return showEvent(cmd.OutOrStdout(), e, *stanzas, *bodies) }
			if flags.json {
				show = func(e admin.Event) error { return writeJSON(cmd.OutOrStdout(), e) }
			}
			var rec *recorder
			if *file != "" {
				f, err := os.OpenFile(*file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
				if err != nil {
					return fmt.Errorf("the recording can't be written: %w", err)
				}
				defer f.Close()
				rec = newRecorder(f, *bodies)
			}
			return watch(ctx, t, *query, what, *length, show, rec)
		})
	}
	return cmd
}

// watch shows and records events for a length of time, 0 for no end.
func watch(ctx context.Context, t *target, q admin.SessionQuery, what string, length time.Duration, show func(admin.Event) error, rec *recorder) error {
	enough := errors.New("the time is up")
	if length > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, length, enough)
		defer cancel()
	}
	var failed error
	err := t.Watch(ctx, q, what, func(e admin.Event) bool {
		if rec != nil {
			failed = rec.add(e)
		}
		if failed == nil { // what is seen is in the recording
			failed = show(e)
		}
		return failed == nil
	})
	if errors.Is(err, enough) {
		err = nil
	}
	return errors.Join(err, failed)
}

// showEvent prints a line about an event.
func showEvent(w io.Writer, e admin.Event, stanzas, bodies bool) error {
	if e.Stanza != nil && !stanzas {
		return nil // it is there for a recording
	}
	words := []string{e.At.Local().Format("15:04:05.000"), dash(e.Session), dash(e.JID), e.Event}
	add := func(format string, args ...any) { words = append(words, fmt.Sprintf(format, args...)) }
	if e.Available != nil {
		if *e.Available {
			add("available (%d)", *e.Priority)
		} else {
			add("unavailable")
		}
	}
	if e.Event == "present" {
		add("%s", e.State)
	}
	if e.By != "" {
		add("by %s", e.By)
	}
	if e.Cause != "" {
		add("%s", e.Cause)
	}
	if e.Missed > 0 {
		add("%s", plural(int(e.Missed), "event"))
	}
	if s := e.Stanza; s != nil {
		add("%s", s.Kind)
		if s.Type != "" {
			add("%s", s.Type)
		}
		add("%s > %s, %s", dash(s.From), dash(s.To), plural(s.Bytes, "byte"))
		if bodies {
			add("%s", s.XML)
		}
	}
	_, err := fmt.Fprintln(w, printable(strings.Join(words, " ")))
	return err
}
