package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"weir"

	"github.com/spf13/cobra"
)

// versionCommand is "weir version".
func versionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Long:    "Print the version of this program, of the Go that built it, and of its source.",
		Example: "  weir version --json",
		Args:    noArguments,
	}
	asJSON := cmd.Flags().Bool("json", false, "answer in JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		v := struct {
			Version  string `json:"version"`
			Revision string `json:"revision,omitempty"`
			Changed  bool   `json:"changed,omitempty"`
			Go       string `json:"go"`
			Platform string `json:"platform"`
		}{Version: weir.Version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
		if info, ok := debug.ReadBuildInfo(); ok {
			for _, s := range info.Settings {
				switch s.Key {
				case "vcs.revision":
					v.Revision = s.Value
				case "vcs.modified":
					v.Changed = s.Value == "true"
				}
			}
		}
		if *asJSON {
			return writeJSON(cmd.OutOrStdout(), v)
		}
		text := "weir " + v.Version
		if v.Revision != "" {
			text += " (" + v.Revision[:min(12, len(v.Revision))]
			if v.Changed {
				text += ", changed"
			}
			text += ")"
		}
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s, %s, %s\n", text, v.Go, v.Platform)
		return err
	}
	return cmd
}
