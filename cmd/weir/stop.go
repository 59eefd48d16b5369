package main

import (
	"errors"
	"fmt"

	"weir/admin"
	"weir/config"

	"github.com/spf13/cobra"
)

// stopCommand is "weir stop".
func stopCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "stop",
		Short: "Stop the running server and wait until it has",
		Long: `Stop the server that runs on the data folder, in order, as SIGTERM does, and wait
until everything is stored and the folder is free. With --drain the server first
takes no new connections and lets sessions get what they were sent, for as long as
given at most; SIGTERM cuts that short.`,
		Example: "  weir stop\n  weir stop --drain 30s --data /var/lib/weir",
		Args:    noArguments,
	}
	settings := settingsOf(cmd, false)
	drain := cmd.Flags().Duration("drain", 0, "let sessions get what they were sent, for this `DURATION` at most")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *drain < 0 {
			return errors.New("--drain takes no negative time")
		}
		t, err := settings.server()
		if err != nil {
			return err
		}
		defer t.Client.Close()
		return t.Stop(cmd.Context(), *drain, func(s admin.Stopping) {
			switch {
			case s.Left > 0:
				fmt.Fprintf(cmd.OutOrStdout(), "%s: %s had not got everything\n", s.State, plural(s.Left, "session"))
			default:
				fmt.Fprintln(cmd.OutOrStdout(), s.State)
			}
		})
	}
	return cmd
}

// dataFolder is the configuration of a command that needs to know no more.
func dataFolder(dir string) config.Config {
	cfg := config.Default()
	cfg.Data = dir
	return cfg
}
