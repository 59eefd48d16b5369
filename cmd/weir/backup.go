package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"
)

// backupCommand is "weir backup".
func backupCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup DIR",
		Short: "Copy the data folder while the server works",
		Long: `Copy everything that is kept (accounts, contact lists, messages, sessions and
certificates the server made) to a new folder. A server that runs goes on working;
everything it acknowledged before is in the copy. The folder is written by the
server: its user must be allowed to. "weir serve --data DIR" runs on it.

What the tokens of devices are made of is left out, so that nobody can log in with
what is in the copy. Where a server runs on it, each device needs its password once;
--secrets copies that too.`,
		Example: "  weir backup /var/lib/weir/backup-monday --data /var/lib/weir",
		Args:    exactly("the folder to be made"),
	}
	settings := settingsOf(cmd, false)
	secrets := cmd.Flags().Bool("secrets", false, "copy what tokens are made of, too")
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		cfg, err := settings.load()
		if err != nil {
			return err
		}
		dir, err := filepath.Abs(args[0])
		if err != nil {
			return err
		}
		t, err := runningOrOffline(cmd.Context(), cfg, false)
		if err != nil {
			return err
		}
		err = t.Backup(cmd.Context(), dir, *secrets)
		if end := t.close(); err == nil {
			err = end
		}
		if err == nil {
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s has a copy of %s\n", args[0], cfg.Data)
		}
		return err
	}
	return cmd
}
