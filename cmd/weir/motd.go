package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"weir/admin"

	"github.com/spf13/cobra"
)

// motdCommand is "weir motd".
func motdCommand() *cobra.Command {
	return group("motd", "Have a message of the day", `A message of the day is what everybody of a domain is to read: each account gets it
once, those who are online at once and the others when they come next. It is kept
like any message until they have it. Without --of it is that of the server's
first domain. Where no server runs, these commands work on its data folder.`,
		`  weir motd set "Tonight from 2 to 3 this server is updated."
  weir motd show
  weir motd edit "Tonight from 3 to 4 this server is updated."
  weir motd delete`,
		motdSetCommand("set", "Set the message of the day",
			"Set the message of the day in place of the one there is, and tell everybody. The text\nis the argument, or what comes on standard input where there is none.", false),
		motdSetCommand("edit", "Change the message of the day for those who haven't had it",
			"Change the text of the message of the day for those who haven't had it. The text is\nthe argument, or what comes on standard input where there is none.", true),
		motdShowCommand(), motdDeleteCommand())
}

// motdFlags are what all commands about the message of the day have.
type motdFlags struct {
	*userFlags
	of string // domain
}

func motdFlagsOf(cmd *cobra.Command) *motdFlags {
	f := &motdFlags{userFlags: userFlagsOf(cmd)}
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	cmd.Flags().StringVar(&f.of, "of", "", "the `DOMAIN` that it is for (default the first of the server)")
	return f
}

// domain is the one that is meant.
func (f *motdFlags) domain(ctx context.Context, t *target) (string, error) {
	if f.of != "" {
		return f.of, nil
	}
	st, err := t.Status(ctx)
	if err != nil {
		return "", err
	}
	return st.Domains[0], nil
}

// maxTyped is more than a message of the day may have.
const maxTyped = 64 << 10

func motdSetCommand(use, short, long string, edit bool) *cobra.Command {
	cmd := &cobra.Command{
		Use: use + " [TEXT]", Short: short, Long: long,
		Example: fmt.Sprintf("  weir motd %[1]s \"Tonight from 2 to 3 this server is updated.\"\n  weir motd %[1]s --of example.net < message.txt", use),
		Args:    atMostOne("a text"),
	}
	flags := motdFlagsOf(cmd)
	flags.makes = !edit
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		text := strings.Join(args, "")
		if len(args) == 0 {
			b, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), maxTyped))
			if err != nil {
				return err
			}
			text = string(b)
		}
		if strings.TrimSpace(text) == "" {
			return errors.New("the message has no text: give it as an argument or on standard input")
		}
		return flags.with(cmd, func(ctx context.Context, t *target) error {
			domain, err := flags.domain(ctx, t)
			if err != nil {
				return err
			}
			set, err := t.SetMessage(ctx, domain, admin.NewMessage{Text: text, Edit: edit})
			if err != nil {
				return err
			}
			if flags.json {
				return writeJSON(cmd.OutOrStdout(), set)
			}
			done := fmt.Sprintf("set for %s: %s told now, everybody else at the next login", domain, plural(set.Sessions, "session"))
			if edit {
				done = "changed for " + domain
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), done)
			return err
		})
	}
	return cmd
}

func motdShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show", Short: "Show the messages of the day",
		Long:    "Show the messages of the day, of all domains that have one.",
		Example: "  weir motd show\n  weir motd show --json",
		Args:    noArguments, ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := userFlagsOf(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return flags.with(cmd, func(ctx context.Context, t *target) error {
			all, err := t.Messages(ctx)
			if err != nil {
				return err
			}
			if flags.json {
				return writeJSON(cmd.OutOrStdout(), all)
			}
			if len(all) == 0 {
				_, err := fmt.Fprintln(cmd.ErrOrStderr(), "there is no message of the day; `weir motd set` sets one")
				return err
			}
			for _, domain := range sortedKeys(all) {
				m := all[domain]
				by := "from the command line"
				if m.By != "" {
					by = "by " + m.By
				}
				if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s, set %s %s\n%s\n", domain, m.Set.Local().Format("2006-01-02 15:04"), by, indented(m.Text)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return cmd
}

// indented is a text as it is shown below a heading, with nothing in it that a
// terminal obeys.
func indented(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		lines[i] = "  " + printable(l)
	}
	return strings.Join(lines, "\n")
}

func motdDeleteCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "delete", Short: "Take the message of the day away",
		Long:    "Take the message of the day away: who comes from now on doesn't get it.",
		Example: "  weir motd delete\n  weir motd delete --of example.net",
		Args:    noArguments,
	}
	flags := motdFlagsOf(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return flags.with(cmd, func(ctx context.Context, t *target) error {
			domain, err := flags.domain(ctx, t)
			if err != nil {
				return err
			}
			if err := t.DeleteMessage(ctx, domain); err != nil {
				return err
			}
			if flags.json {
				return writeJSON(cmd.OutOrStdout(), map[string]any{"domain": domain, "deleted": true})
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "deleted for %s\n", domain)
			return err
		})
	}
	return cmd
}
