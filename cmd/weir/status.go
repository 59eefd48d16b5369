package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"weir/admin"

	"github.com/spf13/cobra"
)

// statusCommand is "weir status".
func statusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Say how the running server is",
		Long:    "Say how the server is that runs on the data folder: version, domains, listeners,\nsessions and its store. The exit code is 1 if none runs, or if its store has failed or\nhas no space left.",
		Example: "  weir status\n  weir status --json",
		Args:    noArguments,
	}
	flags := sessionFlagsOf(cmd)
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return flags.with(cmd, func(ctx context.Context, t *target) error {
			st, err := t.Status(ctx)
			if err != nil {
				return err
			}
			if flags.json {
				err = writeJSON(cmd.OutOrStdout(), st)
			} else {
				err = showStatus(cmd.OutOrStdout(), st, time.Now())
			}
			if err == nil && st.Store != "ok" {
				err = fmt.Errorf("the store takes nothing: %s", st.Store)
			}
			return err
		})
	}
	return cmd
}

func showStatus(w io.Writer, st admin.Status, now time.Time) error {
	rows := [][]string{
		{"weir", fmt.Sprintf("%s, process %d, started %s", st.Version, st.PID, at(st.Started, now))},
		{"domains", strings.Join(st.Domains, ", ")},
		{"data", st.Data},
		{"store", st.Store},
	}
	for _, name := range sortedKeys(st.Listeners) {
		rows = append(rows, []string{name, st.Listeners[name]})
	}
	total := 0
	var states []string
	for _, name := range sortedKeys(st.Sessions) {
		total += st.Sessions[name]
		states = append(states, fmt.Sprintf("%d %s", st.Sessions[name], name))
	}
	sessions := fmt.Sprint(total)
	if total > 0 {
		sessions += ": " + strings.Join(states, ", ")
	}
	return table(w, nil, append(rows, []string{"sessions", sessions}))
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
