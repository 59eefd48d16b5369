package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"weir/hook"

	"github.com/spf13/cobra"
)

// hooksCommand is "weir hooks".
func hooksCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "hooks",
		Short: "List the hook points and what modules have registered there",
		Long: `List every hook point of the running server with its handlers, in the order in which
they run: how often each was run, how long that took, how often it panicked and how
often it took too long (a second, or ten where handlers may block). Where handlers must
not block one run in 256 is timed, so MEAN is an estimate there and LONGEST may
miss some; what takes too long is noticed in each run. RUNNING counts runs under way
where handlers may block.`,
		Example: "  weir hooks\n  weir hooks --used\n  weir hooks --json",
		Args:    noArguments,
	}
	flags := sessionFlagsOf(cmd)
	cmd.ValidArgsFunction = nil
	used := cmd.Flags().Bool("used", false, "leave out points without handlers")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return flags.with(cmd, func(ctx context.Context, t *target) error {
			all, err := t.Hooks(ctx)
			if err != nil {
				return err
			}
			if flags.json {
				return writeJSON(cmd.OutOrStdout(), all)
			}
			return showHooks(cmd.OutOrStdout(), all, *used)
		})
	}
	return cmd
}

func showHooks(w io.Writer, all []hook.Listing, used bool) error {
	count := func(n uint64) string { return strconv.FormatUint(n, 10) }
	var rows [][]string
	for _, l := range all {
		blocks := "no"
		if l.MayBlock {
			blocks = "yes"
		}
		if len(l.Handlers) == 0 && !used {
			rows = append(rows, []string{l.Point, l.Kind, blocks, "-", "-", "-", "-", "-", "-", "-", "-"})
		}
		for _, h := range l.Handlers {
			rows = append(rows, []string{l.Point, l.Kind, blocks, fmt.Sprint(l.Running), h.Order.String(), h.Name, count(h.Calls),
				short(h.Mean()), short(h.Longest), count(h.Panics), count(h.Overruns)})
		}
	}
	return table(w, []string{"POINT", "KIND", "BLOCKS", "RUNNING", "ORDER", "HANDLER", "CALLS", "MEAN", "LONGEST", "PANICS", "OVERRUNS"}, rows)
}

// short is a length of time with two or three digits.
func short(d time.Duration) string {
	for _, unit := range []time.Duration{time.Second, time.Millisecond, time.Microsecond} {
		if d >= unit {
			return d.Round(unit / 10).String()
		}
	}
	return d.String()
}
