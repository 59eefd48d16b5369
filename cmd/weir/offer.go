package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"weir/admin"

	"github.com/spf13/cobra"
)

// offerCommand is "weir offer".
func offerCommand() *cobra.Command {
	return group("offer", "Offer files on behalf of sessions", `Whoever a file is offered to gets a message with its link from the session that
offers it, and is asked to forget it when the offer is cancelled. The files are
where the link says: the server keeps none. It takes these commands where
enabled = true stands in [offers].`,
		`  weir offer add juliet@localhost/balcony https://localhost/rose.jpg --to romeo@localhost
  weir offer list
  weir offer cancel Q3PZ5W6KJ2DN7XTVYAB4MRECHU`,
		offerAddCommand(), offerListCommand(), offerCancelCommand())
}

func offerAddCommand() *cobra.Command {
	var in admin.NewOffer
	var sum string
	cmd := &cobra.Command{
		Use:   "add SESSION URL --to JID",
		Short: "Offer a file",
		Long: `Have a session, named by its id or full address, offer the file that a link leads to.
With several --to it is offered to many; a full address is one session of an account.`,
		Example: `  weir offer add juliet@localhost/balcony https://localhost/rose.jpg --to romeo@localhost
  weir offer add juliet@localhost/balcony https://localhost/rose.jpg --name rose.jpg --type image/jpeg --size 48213 \
    --to romeo@localhost/orchard --to nurse@localhost`,
		Args: exactly("a session", "a link"),
	}
	flags := sessionFlagsOf(cmd)
	cmd.Flags().StringArrayVar(&in.To, "to", nil, "`JID` that it is offered to; may be given several times")
	cmd.Flags().StringVar(&in.File.Name, "name", "", "name of the file")
	cmd.Flags().StringVar(&in.File.Type, "type", "", "its media `TYPE`, like image/jpeg")
	cmd.Flags().Int64Var(&in.File.Size, "size", 0, "its size in `BYTES`")
	cmd.Flags().StringVar(&sum, "sha256", "", "its SHA-256 in `HEX`, as sha256sum prints it")
	cmd.Flags().StringVar(&in.File.Description, "description", "", "what it is")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		in.Session, in.File.URL = args[0], args[1]
		if len(in.To) == 0 {
			return errors.New("--to says whom it is offered to")
		}
		var err error
		if in.File.SHA256, err = hex.DecodeString(sum); err != nil {
			return errors.New("--sha256 takes 64 hexadecimal digits, as sha256sum prints them")
		}
		return flags.with(cmd, func(ctx context.Context, t *target) error {
			made, err := t.AddOffer(ctx, in)
			if err != nil {
				return err
			}
			if flags.json {
				err = writeJSON(cmd.OutOrStdout(), made)
			} else {
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s offered to %s\n", made.ID, plural(len(made.To), "receiver"))
			}
			if err == nil && made.Problem != "" {
				err = errors.New(made.Problem)
			}
			return err
		})
	}
	return cmd
}

func offerListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list [SESSION]", Short: "List what is offered",
		Long:    "List what sessions offer, all of them or one.",
		Example: "  weir offer list\n  weir offer list juliet@localhost/balcony --json",
		Args:    atMostOne("a session"),
	}
	flags := sessionFlagsOf(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return flags.with(cmd, func(ctx context.Context, t *target) error {
			all, err := t.Offers(ctx, strings.Join(args, ""))
			if err != nil {
				return err
			}
			if flags.json {
				return writeJSON(cmd.OutOrStdout(), all)
			}
			if len(all) == 0 {
				_, err := fmt.Fprintln(cmd.ErrOrStderr(), "nothing is offered; `weir offer add` offers a file")
				return err
			}
			var rows [][]string
			for _, o := range all {
				rows = append(rows, offerRow(o, time.Now()))
			}
			return table(cmd.OutOrStdout(), []string{"ID", "FROM", "TO", "SINCE", "NAME", "LINK"}, rows)
		})
	}
	return cmd
}

func offerRow(o admin.Offer, now time.Time) []string {
	to := o.To[0].String()
	if more := len(o.To) - 1; more > 0 {
		to += fmt.Sprintf(" +%d", more)
	}
	return []string{o.ID, o.From, to, ago(now, o.At), dash(o.File.Name), o.File.URL}
}

func offerCancelCommand() *cobra.Command {
	var of []string
	cmd := &cobra.Command{
		Use: "cancel ID", Short: "Take an offer back",
		Long: `Take an offer back, by its id in "weir offer list": of all its receivers, or with --of
of some. They are asked to forget the message; the file itself stays where it is.`,
		Example: "  weir offer cancel Q3PZ5W6KJ2DN7XTVYAB4MRECHU\n  weir offer cancel Q3PZ5W6KJ2DN7XTVYAB4MRECHU --of nurse@localhost",
		Args:    exactly("the id of the offer"),
	}
	flags := sessionFlagsOf(cmd)
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	cmd.Flags().StringArrayVar(&of, "of", nil, "`JID` of a receiver; may be given several times")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return flags.with(cmd, func(ctx context.Context, t *target) error {
			if err := t.CancelOffer(ctx, args[0], of...); err != nil {
				return err
			}
			if flags.json {
				return writeJSON(cmd.OutOrStdout(), map[string]any{"id": args[0], "cancelled": true})
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s cancelled\n", args[0])
			return err
		})
	}
	return cmd
}
