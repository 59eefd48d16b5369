// Command weir is the server and its tools: "weir serve" runs a server, the other
// commands talk to it through the control socket in its data folder, or work on
// the folder while no server runs. There is one file for each command; what
// several share is in settings.go (where settings come from), target.go (which
// server is meant) and table.go (listings). Start reading at root.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"weir/config"

	"github.com/spf13/cobra"
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run is the whole program: it returns the exit code.
func run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	cmd := root()
	cmd.SetArgs(args)
	cmd.SetIn(in)
	cmd.SetOut(out)
	cmd.SetErr(errs)
	err := cmd.ExecuteContext(ctx)
	var code exitCode
	var mistakes config.Mistakes
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &mistakes):
		fmt.Fprintf(errs, "weir: %s in the configuration:\n%v\n", plural(len(mistakes), "mistake"), mistakes)
		return 1
	}
	for i, line := range strings.Split(err.Error(), "\n") {
		if i == 0 {
			line = "weir: " + line
		}
		fmt.Fprintln(errs, line)
	}
	return 1
}

// exitCode is an error that was told already: only the code is left to say.
type exitCode int

// Error is for those who forget that it was told.
func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// root is the whole command line.
func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "weir",
		Short: "An XMPP server whose session layer is the product",
		Long: `weir is an XMPP server. "weir serve" runs one; the other commands talk to the
server that runs on a data folder, or work on the folder while none does.

Without any configuration a server has the domain localhost and keeps everything
in ./weir-data. "weir serve --demo" is the quickest way to see one at work.`,
		Example: `  weir serve --demo
  weir serve --data /var/lib/weir --domain example.org
  weir user add juliet@example.org --data /var/lib/weir
  weir session list --data /var/lib/weir
  weir check --config /etc/weir.toml`,
		SilenceUsage:               true,
		SilenceErrors:              true,
		SuggestionsMinimumDistance: 2,
		Args:                       cobra.ArbitraryArgs,
		RunE:                       runGroup,
	}
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w\n`%s --help` shows what it takes", err, cmd.CommandPath())
	})
	cmd.AddCommand(serveCommand(), stopCommand(), reloadCommand(), statusCommand(), hooksCommand(), userCommand(), inviteCommand(), deviceCommand(), offerCommand(), motdCommand(), sessionCommand(), explainCommand(), policyCommand(), checkCommand(), backupCommand(), configCommand(),
		versionCommand())
	cmd.AddCommand(topics()...)
	return cmd
}

// group makes a command that only has others below it.
func group(use, short, long, example string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long, Example: example,
		SuggestionsMinimumDistance: 2,
		RunE:                       runGroup,
	}
	cmd.AddCommand(commands...)
	return cmd
}

// runGroup is what a command does that only has others below it: it shows them,
// or says which of them may have been meant.
func runGroup(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	text := fmt.Sprintf("unknown command %q for %q", args[0], cmd.CommandPath())
	if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
		text += ": did you mean " + strings.Join(like, " or ") + "?"
	}
	return fmt.Errorf("%s\n`%s --help` lists the commands", text, cmd.CommandPath())
}

// noArguments is cobra.NoArgs, which speaks of an unknown command, with an error that
// says what is wrong.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s takes no arguments, not %q\n`%s --help` shows what it takes", cmd.CommandPath(), args[0], cmd.CommandPath())
	}
	return nil
}

// atMostOne is cobra.MaximumNArgs(1) with an error that says what is too much.
func atMostOne(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return fmt.Errorf("%s takes only %s, not %q too", cmd.CommandPath(), name, args[1])
		}
		return noneEmpty(cmd, args, name)
	}
}

// exactly is cobra.ExactArgs with an error that says what is missing.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return fmt.Errorf("%s needs %s\nfor example:\n%s", cmd.CommandPath(), strings.Join(names, " and "), cmd.Example)
		case len(args) > len(names):
			return fmt.Errorf("%s takes only %s, not %q too", cmd.CommandPath(), strings.Join(names, " and "), args[len(names)])
		}
		return noneEmpty(cmd, args, names...)
	}
}

// noneEmpty refuses arguments without a text: that is a variable of a script that isn't
// set, and must not be taken for an argument that was left out.
func noneEmpty(cmd *cobra.Command, args []string, names ...string) error {
	for i, a := range args {
		if a == "" {
			return fmt.Errorf("%s needs %s, and it is empty", cmd.CommandPath(), names[i])
		}
	}
	return nil
}
