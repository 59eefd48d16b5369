package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// reloadCommand is "weir reload".
func reloadCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Have the running server read its configuration again",
		Long: `Have the running server read its configuration file and its certificates again. Its
flags and its environment are what they were when it was started, and win over the
file as ever. Settings that can change while it runs hold at once: [stream], [session]
but for conflict, [policy], log.level and shutdown_timeout. Of the others the command
says that they hold from the next start on. A mistake in the file changes nothing, and
is told with its place. SIGHUP does the same, with the answer in the log.

--config and --data say which server is meant, not what it reads.`,
		Example: "  weir reload\n  weir reload --data /var/lib/weir",
		Args:    noArguments,
	}
	settings := settingsOf(cmd, false)
	asJSON := cmd.Flags().Bool("json", false, "answer in JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		t, err := settings.server()
		if err != nil {
			return err
		}
		defer t.Client.Close()
		r, err := t.Reload(cmd.Context())
		if err != nil {
			return fmt.Errorf("the server goes on as before:\n%w", err)
		}
		out := cmd.OutOrStdout()
		if *asJSON {
			return writeJSON(out, r)
		}
		for _, key := range r.Changed {
			fmt.Fprintf(out, "changed           %s\n", key)
		}
		for _, key := range r.Restart {
			fmt.Fprintf(out, "needs a restart   %s\n", key)
		}
		if len(r.Changed)+len(r.Restart) == 0 {
			fmt.Fprintln(out, "no setting differs")
		}
		return nil
	}
	return cmd
}

// server returns the server that runs on the data folder that the settings name. A
// configuration with a mistake still says which one that is, if --data does.
func (s *settings) server() (*target, error) {
	if data := s.flags.Lookup("data"); data.Changed {
		return running(dataFolder(data.Value.String()))
	}
	cfg, err := s.load()
	if err != nil {
		return nil, err
	}
	return running(cfg)
}
