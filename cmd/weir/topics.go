package main

import (
	"fmt"
	"strings"

	"weir/config"

	"github.com/spf13/cobra"
)

// topics are the pages of "weir help" that are about no command.
func topics() []*cobra.Command {
	var variables strings.Builder
	for _, v := range config.Variables() {
		fmt.Fprintf(&variables, "  %-34s %s\n", v.Name, v.Default)
	}
	return []*cobra.Command{
		{Use: "environment", Short: "Settings as environment variables", Long: `Every setting is also an environment variable: WEIR_, its section and its key, in
capitals. Flags win over the environment, the environment over the file. Lists have
commas between their elements; WEIR_TLS_CERTIFICATES is a list of CERT:KEY. A WEIR_
variable that is no setting is a mistake, and told as one; those that container
platforms make for a service called weir (WEIR_SERVICE_HOST, WEIR_PORT…) are passed
over.

  WEIR_CONFIG                        the configuration file
` + strings.TrimRight(variables.String(), "\n")},
		{Use: "signals", Short: "What a running server does on signals", Long: `SIGTERM, SIGINT   The server stops: no new connections, every client is told
                  system-shutdown, output is written, everything under way is
                  stored. The exit code is 0. shutdown_timeout (10 s) bounds it.
                  A second signal ends the process at once.
SIGHUP            Configuration and certificates are read again, as by "weir reload".
                  Live connections keep their certificates. Those are also read
                  when their files change. The secret of the webhook is read
                  again, and the log of sessions is opened anew.`},
		{Use: "exit-codes", Short: "Exit codes of the commands", Long: `0    done
1    not done: standard error says why, and what to do. "weir check" found a
     failure; "weir user add --from" refused some lines and made the other
     accounts; "weir status" found no server, or one whose store takes nothing
130  "weir serve" was ended at once by a second SIGINT, 143 by a second SIGTERM`},
	}
}
