package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"weir/sessionmgr"

	"github.com/spf13/cobra"
)

// explainCommand is "weir explain".
func explainCommand() *cobra.Command {
	return group("explain", "Tell what became of a message", "Tell what became of a message. \"weir session explain\" does that for a session.",
		"  weir explain message juliet@localhost m1", explainMessageCommand())
}

func explainMessageCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "message ACCOUNT ID",
		Short: "Tell what became of a message: whom it was for, and who has it",
		Long: `Tell what became of a message in the log of an account, its sender's or its
receiver's: by which rule it was routed, which sessions it was for, and whether
each has it. ID is the message's id in the archive, its origin-id or the id that
its sender gave it; the newest that fits is told. What it says is not shown.

A session has it "acknowledged" or, if its client doesn't do that, "written"; it was
"sent" and not acknowledged; it is "waiting" in the log. What a session that has
ended had not got is "left" to the account's next one, "taken over" by another
session, or "delivered since": to which isn't kept. A copy is "dropped" then. "done":
the session ended long ago, and it had it or another has got it.

In the log of its sender those are the sender's other sessions; what became of it for its
receiver follows, where that is an account of this server.`,
		Example: "  weir explain message juliet@localhost m1\n  weir explain message romeo@localhost 1a2150aef7800000 --json",
		Args:    exactly("an account", "the id of a message"),
	}
	flags := sessionFlagsOf(cmd)
	cmd.ValidArgsFunction = nil
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return flags.with(cmd, func(ctx context.Context, t *target) error {
			st, err := t.ExplainMessage(ctx, args[0], args[1])
			if err != nil {
				return err
			}
			if flags.json {
				return writeJSON(cmd.OutOrStdout(), st)
			}
			return showMessage(cmd.OutOrStdout(), st, time.Now())
		})
	}
	return cmd
}

func showMessage(w io.Writer, st sessionmgr.MessageStory, now time.Time) error {
	kept := "in the archive"
	if !st.Archived {
		kept = "until it is delivered, not in the archive"
	}
	owed := "no"
	if st.Owed {
		owed = "yes: the next session of the account that is available gets it"
	}
	rows := [][]string{
		{"in the log of", st.Account}, {"id in the archive", st.ID}, {"origin-id", dash(st.OriginID)}, {"id of the stanza", dash(st.StanzaID)},
		{"taken", at(st.At, now)}, {"type", st.Type}, {"from", dash(st.From)}, {"to", dash(st.To)}, {"size", plural(st.Bytes, "byte")},
		{"kept", kept}, {"routed", st.Routed}, {"owed", owed},
	}
	if st.Elsewhere != "" {
		rows = append(rows, []string{"its receiver", st.Elsewhere})
	}
	err := table(w, nil, rows)
	if err == nil {
		err = showTargets(w, st.Targets)
	}
	if err != nil || st.Receiver == nil {
		return err
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	return showMessage(w, *st.Receiver, now)
}

// showTargets lists the sessions that a message was for.
func showTargets(w io.Writer, all []sessionmgr.MessageTarget) error {
	if len(all) == 0 {
		return nil
	}
	var rows [][]string
	for _, t := range all {
		what, number := "message", "-"
		if t.Copy {
			what = "copy"
		}
		if t.Number > 0 {
			number = strconv.FormatUint(uint64(t.Number), 10)
		}
		session := dash(t.Session)
		switch {
		case t.Session == "" && t.Ended:
			session = "(ended)"
		case t.Session == "":
			session = "(not kept)"
		case t.Ended:
			session += " (ended)"
		}
		rows = append(rows, []string{session, dash(t.JID), what, number, t.State})
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	return table(w, []string{"SESSION", "ADDRESS", "GETS", "NUMBER", "STATE"}, rows)
}
