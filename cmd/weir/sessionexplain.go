package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"weir/sessionmgr"

	"github.com/spf13/cobra"
)

func sessionExplainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain ID",
		Short: "Tell which states a session went through, and why",
		Long: `Tell which states a session went through, when and why, by its id or its full
address, and the last times that it became interested, available or unavailable or
changed its priority. The last 1000 sessions that ended are still known.`,
		Example: "  weir session explain juliet@localhost/balcony",
		Args:    exactly("the id or the full address of a session"),
	}
	flags := sessionFlagsOf(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return flags.with(cmd, func(ctx context.Context, t *target) error {
			st, err := t.Explain(ctx, args[0])
			if err != nil {
				return err
			}
			if flags.json {
				return writeJSON(cmd.OutOrStdout(), st)
			}
			return showStory(cmd.OutOrStdout(), st, time.Now())
		})
	}
	return cmd
}

// showStory prints the steps of a session.
func showStory(w io.Writer, st sessionmgr.Story, now time.Time) error {
	if _, err := fmt.Fprintf(w, "%s %s\n", st.Session.ID, printable(dash(st.Session.JID))); err != nil {
		return err
	}
	var rows [][]string
	for _, x := range st.Steps {
		rows = append(rows, []string{at(x.At, now), x.State, x.What, dash(x.Cause)})
	}
	return table(w, []string{"WHEN", "STATE", "WHAT", "CAUSE"}, rows)
}
