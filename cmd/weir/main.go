// Command weir is the server and its tools: "weir serve" runs a server, the other
// commands talk to it or to its data folder. Start reading at root.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

func main() {
	if err := root().Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "weir:", err)
		os.Exit(1)
	}
}

// root is the whole command line.
func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:           "weir",
		Short:         "An XMPP server whose session layer is the product",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	cmd.AddCommand(serveCommand(), userCommand())
	return cmd
}
