package main

import (
	"weir/config"

	"github.com/spf13/cobra"
)

// configCommand is "weir config".
func configCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "config",
		Short: "Print the default configuration file, with every setting explained",
		Long: `Print the default configuration file. Every setting stands in it with its default,
commented out and explained; the file means the same as no file. Give it to a
server with "weir serve --config FILE" or WEIR_CONFIG: no file is read unasked.`,
		Example: `  weir config > weir.toml
  weir check --config weir.toml
  weir serve --config weir.toml`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return config.WriteDefault(cmd.OutOrStdout()) },
	}
}
