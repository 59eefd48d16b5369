package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"weir/admin"

	"github.com/spf13/cobra"
)

// queryOf adds the flags that say which sessions are meant.
func queryOf(cmd *cobra.Command) *admin.SessionQuery {
	q := new(admin.SessionQuery)
	f := cmd.Flags()
	f.StringVar(&q.Account, "account", "", "those of an account; the same as the argument")
	f.StringVar(&q.State, "state", "", "those in a state: unauthed, unbound, bound, hibernating, available, interested, any")
	f.StringVar(&q.Host, "host", "", "those of a domain")
	f.StringVar(&q.Transport, "transport", "", "those of a transport: tcp, virtual")
	f.StringVar(&q.Listener, "listener", "", "those that came through a listener, by its name")
	f.StringVar(&q.Mechanism, "mechanism", "", "those that logged in by a SASL mechanism")
	f.StringVar(&q.Address, "address", "", "those from an address, a prefix such as 192.0.2.0/24, or one connection such as 192.0.2.1:50000")
	f.StringVar(&q.Device, "device", "", "those of a device, by its id")
	f.StringVar(&q.Software, "software", "", "those whose client calls itself so, or begins like that")
	return q
}

// ofAccount notes the account that an argument names, which a flag may do as well.
func ofAccount(q *admin.SessionQuery, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case q.Account != "":
		return errors.New("name the account once: as an argument or by --account")
	}
	q.Account = args[0]
	return nil
}

func sessionCountCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "count [ACCOUNT]",
		Short:   "Count sessions",
		Long:    "Count the sessions of all accounts, or of one, or those that the flags mean.",
		Example: "  weir session count --state available\n  weir session count --software Gajim",
		Args:    atMostOne("an account"),
	}
	flags := sessionFlagsOf(cmd)
	query := queryOf(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := ofAccount(query, args); err != nil {
			return err
		}
		return flags.with(cmd, func(ctx context.Context, t *target) error {
			n, err := t.CountSessions(ctx, *query)
			if err != nil {
				return err
			}
			if flags.json {
				return writeJSON(cmd.OutOrStdout(), admin.Count{Count: n})
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), n)
			return err
		})
	}
	return cmd
}

func sessionKickCommand() *cobra.Command {
	var text string
	cmd := &cobra.Command{
		Use:   "kick [ID|ACCOUNT]",
		Short: "End sessions",
		Long: `End a session, by its id or its full address, all of an account, or those that flags
mean.
Clients are told policy-violation and the text, and may come back at once: lock the
account with "weir user disable" to keep it out.`,
		Example: `  weir session kick juliet@localhost/balcony --text "please update your client"
  weir session kick juliet@localhost
  weir session kick --software "Old Client" --text "please update your client"`,
		Args: atMostOne("the id or the full address of a session, or an account"),
	}
	flags := sessionFlagsOf(cmd)
	query := queryOf(cmd)
	cmd.Flags().StringVar(&text, "text", "", "what the client is told (default \"an administrator ended this session\")")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 && strings.Contains(args[0], "@") && !strings.Contains(args[0], "/") {
			if err := ofAccount(query, args); err != nil {
				return err
			}
			args = nil
		}
		some := *query != admin.SessionQuery{}
		if (len(args) == 1) == some {
			return errors.New("give either the id or the full address of a session, or an account or flags that say which are to end")
		}
		return flags.with(cmd, func(ctx context.Context, t *target) error {
			if some {
				return kickSome(ctx, cmd, t, flags, *query, text)
			}
			d, err := t.Kick(ctx, args[0], text)
			if err != nil {
				return err
			}
			if flags.json {
				return writeJSON(cmd.OutOrStdout(), d)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s %s kicked\n", d.ID, dash(printable(d.JID)))
			return err
		})
	}
	return cmd
}

// kickSome ends the sessions that a query means.
func kickSome(ctx context.Context, cmd *cobra.Command, t *target, flags *sessionFlags, q admin.SessionQuery, text string) error {
	n, err := t.KickAll(ctx, q, text)
	if err != nil {
		return err
	}
	if flags.json {
		return writeJSON(cmd.OutOrStdout(), admin.Count{Count: n})
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s kicked\n", plural(n, "session"))
	return err
}
