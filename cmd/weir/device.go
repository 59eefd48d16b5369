package main

import (
	"context"
	"fmt"
	"time"

	"weir/admin"

	"github.com/spf13/cobra"
)

// deviceCommand is "weir device".
func deviceCommand() *cobra.Command {
	return group("device", "See and revoke the devices of accounts",
		`A client that asks for it gets a token when it logs in, and needs no password the
next time from the same device. These commands list what holds such tokens, and
what else has sessions and named itself, and log it out. They ask the server that
runs on the data folder, or work on the folder itself where none does; sessions then
end with the next start, before anybody can connect.

A new password, a lock and a deletion of the account take all of them away too.`,
		`  weir device list juliet@localhost
  weir device revoke juliet@localhost k3fw7hq2mzt5bnvd
  weir device revoke juliet@localhost`,
		deviceListCommand(), deviceRevokeCommand())
}

func deviceListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:               "list JID",
		Short:             "List the devices of an account",
		Long:              "List the devices that may log in to an account without its password, and the\nothers that have sessions of it.",
		Example:           "  weir device list juliet@localhost\n  weir device list juliet@localhost --json",
		Args:              exactly("the address of the account"),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := userFlagsOf(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return flags.with(cmd, func(ctx context.Context, t *target) error {
			all, err := t.Devices(ctx, args[0])
			if err != nil {
				return err
			}
			if flags.json {
				return writeJSON(cmd.OutOrStdout(), all)
			}
			if len(all) == 0 {
				_, err := fmt.Fprintln(cmd.ErrOrStderr(), "no devices: every login needs the password")
				return err
			}
			var rows [][]string
			for _, d := range all {
				rows = append(rows, deviceRow(d, time.Now()))
			}
			return table(cmd.OutOrStdout(), []string{"DEVICE", "SOFTWARE", "NAME", "CREATED", "USED", "FROM", "EXPIRES", "SESSIONS"}, rows)
		})
	}
	return cmd
}

func deviceRow(d admin.Device, now time.Time) []string {
	from, expires := "-", "-"
	if !d.Expires.IsZero() {
		expires = until(now, d.Expires)
	}
	if d.Addr.IsValid() {
		from = d.Addr.String()
	}
	return []string{d.ID, dash(d.Software), dash(d.Name), ago(now, d.Created), ago(now, d.Used), from,
		expires, fmt.Sprint(d.Sessions)}
}

func deviceRevokeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "revoke JID [DEVICE]",
		Short: "Have a device, or all of an account, need the password again",
		Long: `Log out a device, by its name in "weir device list", or all devices of an account:
their tokens are void and their sessions end; whoever has the password may log in
again.`,
		Example: "  weir device revoke juliet@localhost k3fw7hq2mzt5bnvd\n  weir device revoke juliet@localhost",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 2 {
				return noneEmpty(cmd, args, "the address of the account", "the device")
			}
			return exactly("the address of the account (and the device)")(cmd, args)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := userFlagsOf(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return flags.with(cmd, func(ctx context.Context, t *target) error {
			device := ""
			if len(args) > 1 {
				device = args[1]
			}
			gone, err := t.RevokeDevice(ctx, args[0], device)
			if err != nil {
				return err
			}
			if flags.json {
				return writeJSON(cmd.OutOrStdout(), gone)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s of %s revoked\n", plural(len(gone), "device"), args[0])
			return err
		})
	}
	return cmd
}
