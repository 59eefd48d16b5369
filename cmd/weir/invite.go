package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"weir/admin"
	"weir/modules/invitations"

	"github.com/spf13/cobra"
)

// inviteCommand is "weir invite".
func inviteCommand() *cobra.Command {
	return group("invite", "Invite people who have no account", `An invitation is a link for a client: whoever opens it makes an account with a name
and a password of their own. There is no other way to make one from a client. The
server takes invitations where enabled = true stands in [invitations].

The link is shown once. The server keeps a hash of it only.`,
		`  weir invite create
  weir invite create juliet@localhost --life 48h
  weir invite create --contact romeo@localhost --uses 5
  weir invite list
  weir invite revoke 5f0c7a4e9b1d`,
		inviteCreateCommand(), inviteListCommand(), inviteRevokeCommand())
}

func inviteCreateCommand() *cobra.Command {
	var in admin.Invite
	var life time.Duration
	cmd := &cobra.Command{
		Use:   "create [JID | DOMAIN]",
		Short: "Make an invitation",
		Long: `Make an invitation and print its link. With an address the account has to have that
name, which nobody else gets until the invitation is over; with a domain, or without
either, whoever is invited chooses one.`,
		Example: `  weir invite create
  weir invite create juliet@localhost --life 48h
  weir invite create --contact romeo@localhost --uses 5`,
		Args: atMostOne("an address or a domain"), ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := userFlagsOf(cmd)
	flags.makes = true
	cmd.Flags().DurationVar(&life, "life", 0, "how long it is good (like `48h`; default as configured, 7 days)")
	cmd.Flags().IntVar(&in.Uses, "uses", 1, "how many accounts may be made by it")
	cmd.Flags().StringVar(&in.Inviter, "contact", "", "`JID` of an account that becomes a contact of the new one")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			in.Domain = args[0]
			if name, domain, ok := strings.Cut(args[0], "@"); ok {
				in.Name, in.Domain = name, domain
			}
		}
		if in.Uses < 1 {
			return errors.New("--uses takes a number of 1 or more")
		}
		if cmd.Flags().Changed("life") {
			in.Life = life.String()
		}
		return flags.with(cmd, func(ctx context.Context, t *target) error {
			made, err := t.Invite(ctx, in)
			if err != nil {
				return err
			}
			if flags.json {
				return writeJSON(cmd.OutOrStdout(), made)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n%s, ends %s\n", made.URI, usesOf(made.Uses), until(time.Now(), made.Expires))
			return err
		})
	}
	return cmd
}

func usesOf(n int) string { return "for " + plural(n, "account") }

func inviteListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "List invitations that are open",
		Long:    "List invitations that are open, without their links: those are not kept.",
		Example: "  weir invite list\n  weir invite list --json",
		Args:    noArguments, ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := userFlagsOf(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return flags.with(cmd, func(ctx context.Context, t *target) error {
			all, err := t.Invitations(ctx)
			if err != nil {
				return err
			}
			if flags.json {
				return writeJSON(cmd.OutOrStdout(), all)
			}
			if len(all) == 0 {
				_, err := fmt.Fprintln(cmd.ErrOrStderr(), "no invitations are open; `weir invite create` makes one")
				return err
			}
			var rows [][]string
			for _, i := range all {
				rows = append(rows, inviteRow(i, time.Now()))
			}
			return table(cmd.OutOrStdout(), []string{"ID", "FOR", "USES", "CONTACT", "BY", "CREATED", "ENDS"}, rows)
		})
	}
	return cmd
}

func inviteRow(i invitations.Invitation, now time.Time) []string {
	who := i.Domain
	if i.Name != "" {
		who = i.Name + "@" + i.Domain
	}
	return []string{i.ID, who, fmt.Sprint(i.Uses), dash(i.Inviter), dash(i.By), ago(now, i.Created), until(now, i.Expires)}
}

func inviteRevokeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "revoke ID", Short: "Take an invitation back",
		Long:    `Take an invitation back, by its id in "weir invite list". Accounts that were made by it stay.`,
		Example: "  weir invite revoke 5f0c7a4e9b1d",
		Args:    exactly("the id of the invitation"), ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := userFlagsOf(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return flags.with(cmd, func(ctx context.Context, t *target) error {
			if err := t.RevokeInvitation(ctx, args[0]); err != nil {
				return err
			}
			if flags.json {
				return writeJSON(cmd.OutOrStdout(), map[string]any{"id": args[0], "revoked": true})
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s revoked\n", args[0])
			return err
		})
	}
	return cmd
}
