package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"weir/admin"

	"github.com/spf13/cobra"
)

// userCommand is "weir user".
func userCommand() *cobra.Command {
	return group("user", "Make, list, lock and delete accounts", `Accounts are those of the server that runs on the data folder, through its
control socket; where none runs, the commands work on the folder itself.

A new password or a lock ends the account's sessions. Deleting an account removes
its contact list and the messages that wait for it.`,
		`  weir user add juliet@localhost
  weir user list --json
  weir user passwd juliet@localhost
  weir user disable juliet@localhost`,
		userAddCommand(), userPasswdCommand(), userListCommand(), userRoleCommand(),
		userChangeCommand("disable", "Lock an account", "Lock an account: its sessions end and nobody gets in, until \"weir user enable\".\nIts messages and contacts stay.",
			"disabled", func(ctx context.Context, t *target, jid string) (admin.User, error) {
				return t.SetDisabled(ctx, jid, true)
			}),
		userChangeCommand("enable", "Open a locked account again", "Open an account again that \"weir user disable\" locked. The password is as it was.",
			"enabled", func(ctx context.Context, t *target, jid string) (admin.User, error) {
				return t.SetDisabled(ctx, jid, false)
			}),
		userChangeCommand("delete", "Delete an account and everything kept for it",
			"Delete an account: its sessions end, its password, its contact list and the\nmessages that wait for it are gone. There is no way back.",
			"deleted", func(ctx context.Context, t *target, jid string) (admin.User, error) {
				return admin.User{JID: jid}, t.DeleteUser(ctx, jid)
			}),
	)
}

// userFlags are what all commands about accounts have.
type userFlags struct {
	settings *settings
	json     bool
	makes    bool // the data folder, where there is none
}

func userFlagsOf(cmd *cobra.Command) *userFlags {
	f := &userFlags{settings: settingsOf(cmd, false)}
	cmd.Flags().BoolVar(&f.json, "json", false, "answer in JSON")
	return f
}

// with runs fn with the server that the flags mean.
func (f *userFlags) with(cmd *cobra.Command, fn func(context.Context, *target) error) error {
	cfg, err := f.settings.load()
	if err != nil {
		return err
	}
	t, err := runningOrOffline(cmd.Context(), cfg, f.makes)
	if err != nil {
		return err
	}
	err = fn(cmd.Context(), t)
	if e := t.close(); err == nil {
		err = e
	}
	return err
}

func userAddCommand() *cobra.Command {
	var from string
	cmd := &cobra.Command{
		Use:   "add JID",
		Short: "Make an account, or thousands",
		Long: `Make an account. Its password is asked for on a terminal and read from standard
input otherwise; with an empty one a password is made and printed.

--from reads many: a line of the file is an address, a blank and a password. Empty
lines and lines that begin with # are passed over. Lines that make no account are
told with their number, the others are made; the exit code is then 1. Importing a
list again is safe: accounts that exist stay as they are and are told as refused.`,
		Example: `  weir user add juliet@localhost
  echo 'correct horse battery' | weir user add juliet@localhost
  weir user add juliet@localhost < /dev/null     # makes a password
  weir user add --from accounts.txt`,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := userFlagsOf(cmd)
	flags.makes = true
	cmd.Flags().StringVar(&from, "from", "", "read `FILE` (- for standard input) with an address and a password on each line")
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if from != "" && len(args) > 0 {
			return fmt.Errorf("--from takes the addresses from the file, not %q too", args[0])
		}
		if from != "" {
			return nil
		}
		return exactly("the address of the account (or --from FILE)")(cmd, args)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if from != "" {
			return flags.with(cmd, func(ctx context.Context, t *target) error { return importUsers(ctx, cmd, t, from, flags.json) })
		}
		password, err := readPassword(cmd.InOrStdin(), cmd.ErrOrStderr(), args[0])
		if err != nil {
			return err
		}
		return flags.with(cmd, func(ctx context.Context, t *target) error {
			u, err := t.AddUser(ctx, args[0], password)
			if err != nil {
				return err
			}
			return tellUser(cmd.OutOrStdout(), flags.json, u, "added")
		})
	}
	return cmd
}

func userPasswdCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "passwd JID",
		Short: "Set an account's password",
		Long: `Set an account's password, which ends its sessions. The password is asked for on
a terminal and read from standard input otherwise; with an empty one a password is
made and printed.`,
		Example: `  weir user passwd juliet@localhost
  weir user passwd juliet@localhost < /dev/null     # makes a password`,
		Args:              exactly("the address of the account"),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := userFlagsOf(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		password, err := readPassword(cmd.InOrStdin(), cmd.ErrOrStderr(), args[0])
		if err != nil {
			return err
		}
		return flags.with(cmd, func(ctx context.Context, t *target) error {
			u, err := t.SetPassword(ctx, args[0], password)
			if err != nil {
				return err
			}
			return tellUser(cmd.OutOrStdout(), flags.json, u, "has a new password")
		})
	}
	return cmd
}

func userRoleCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "role JID ROLE",
		Short: "Give an account a role",
		Long: `Give an account a role in place of the one that it has. The server knows three:
"admin" may use the commands for admins that clients show, "user" is what each
account has from the start, "guest" may use no command that is for users. Modules may
know others: letters a to z, digits and hyphens. Sessions stay.`,
		Example: `  weir user role juliet@localhost admin
  weir user role juliet@localhost user`,
		Args:              exactly("the address of the account", "the role"),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := userFlagsOf(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return flags.with(cmd, func(ctx context.Context, t *target) error {
			u, err := t.SetRole(ctx, args[0], args[1])
			if err != nil {
				return err
			}
			return tellUser(cmd.OutOrStdout(), flags.json, u, "has the role "+u.Role)
		})
	}
	return cmd
}

func userChangeCommand(name, short, long, done string, change func(context.Context, *target, string) (admin.User, error)) *cobra.Command {
	cmd := &cobra.Command{
		Use: name + " JID", Short: short, Long: long,
		Example:           "  weir user " + name + " juliet@localhost",
		Args:              exactly("the address of the account"),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := userFlagsOf(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return flags.with(cmd, func(ctx context.Context, t *target) error {
			u, err := change(ctx, t, args[0])
			if err != nil {
				return err
			}
			if flags.json && name == "delete" {
				return writeJSON(cmd.OutOrStdout(), map[string]any{"jid": u.JID, "deleted": true})
			}
			return tellUser(cmd.OutOrStdout(), flags.json, u, done)
		})
	}
	return cmd
}

// tellUser says what became of an account.
func tellUser(w io.Writer, asJSON bool, u admin.User, done string) error {
	if asJSON {
		return writeJSON(w, u)
	}
	_, err := fmt.Fprintf(w, "%s %s\n", u.JID, done)
	if u.Password != "" && err == nil {
		_, err = fmt.Fprintf(w, "password: %s\n", u.Password)
	}
	return err
}

func userListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list [DOMAIN]",
		Short:   "List accounts",
		Long:    "List the accounts of all domains, or of one.",
		Example: "  weir user list\n  weir user list example.org --json",
		Args:    atMostOne("a domain"), ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := userFlagsOf(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		domain := ""
		if len(args) > 0 {
			domain = args[0]
		}
		return flags.with(cmd, func(ctx context.Context, t *target) error {
			all, err := t.Users(ctx, domain)
			if err != nil {
				return err
			}
			if flags.json {
				return writeJSON(cmd.OutOrStdout(), all)
			}
			if len(all) == 0 {
				_, err := fmt.Fprintln(cmd.ErrOrStderr(), "no accounts; `weir user add JID` makes one")
				return err
			}
			var rows [][]string
			for _, u := range all {
				state := "active"
				if u.Disabled {
					state = "disabled"
				}
				rows = append(rows, []string{u.JID, state, u.Role, ago(time.Now(), u.Created)})
			}
			return table(cmd.OutOrStdout(), []string{"ACCOUNT", "STATE", "ROLE", "CREATED"}, rows)
		})
	}
	return cmd
}
