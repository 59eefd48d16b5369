package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"weir/admin"
	"weir/sessionmgr"

	"github.com/spf13/cobra"
)

// policyCommand is "weir policy".
func policyCommand() *cobra.Command {
	return group("policy", "See, change and try the policies for several sessions of an account", `A rule says which sessions an account may have at the same time, by the role of
the account and the class of the device: a policy, and whom it is for. The first
rule that is for a client counts; without one a session ends only where another
binds its resource.

  open           as many as there may be (max=NUMBER bounds them)
  single         one: the newest, the others end
  single-refuse  one: while it has a connection, others are refused
  mirror         all of them see every message of a conversation
  per-device     one for each device: the newest

A class of devices has a name and says what is the same for all of them, by what
the client tells at its login: software, name (of the device) and resource by their
beginning, and id=known or id=unknown.

These commands ask the server that runs on the data folder.`,
		`  weir policy show
  weir policy test juliet@localhost --resource balcony
  weir policy test juliet@localhost --rule 'single role=user'
  weir policy set 'single role=guest' 'open max=2 class=phone' --class 'phone software=Conversations'`,
		policyShowCommand(), policySetCommand(), policyTestCommand())
}

func policyShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show",
		Short:   "Show the rules in force, and how many sessions each is for",
		Long:    "Show the rules in force, where they come from, and how many sessions each is for.",
		Example: "  weir policy show\n  weir policy show --json",
		Args:    noArguments,
	}
	flags := sessionFlagsOf(cmd)
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return flags.with(cmd, func(ctx context.Context, t *target) error {
			p, err := t.Policies(ctx)
			if err != nil {
				return err
			}
			if flags.json {
				return writeJSON(cmd.OutOrStdout(), p)
			}
			return showPolicies(cmd.OutOrStdout(), p)
		})
	}
	return cmd
}

func showPolicies(w io.Writer, p admin.Policies) error {
	var rows [][]string
	for i, c := range p.Classes {
		rows = append(rows, []string{"class " + strconv.Itoa(i+1), c, "-"})
	}
	for i, r := range append(p.Rules, "(no rule)") {
		name := "rule " + strconv.Itoa(i+1)
		if i == len(p.Rules) {
			name = "otherwise"
		}
		rows = append(rows, []string{name, r, strconv.Itoa(p.Sessions[i])})
	}
	if _, err := fmt.Fprintf(w, "from the %s\n", p.Origin); err != nil {
		return err
	}
	return table(w, []string{"", "TEXT", "SESSIONS"}, rows)
}

func policySetCommand() *cobra.Command {
	var classes []string
	var none bool
	cmd := &cobra.Command{
		Use:   "set RULE…",
		Short: "Put other rules in force, without a restart",
		Long: `Put rules in place of those in force. They hold for every login from then on, and
until the server is restarted or its configuration is read again: what is to stay
belongs into [policy] there. Sessions that are there stay.

Classes stay as they are unless --class gives others in place of all of them.`,
		Example: `  weir policy set 'single role=guest'
  weir policy set 'open max=2 class=phone' --class 'phone software=Conversations'
  weir policy set --none`,
	}
	flags := sessionFlagsOf(cmd)
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	cmd.Flags().StringArrayVar(&classes, "class", nil, "a class of devices (several times for several)")
	cmd.Flags().BoolVar(&none, "none", false, "have no rules at all")
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if none == (len(args) > 0) {
			return fmt.Errorf("%s needs either rules, each in quotes, or --none\nfor example:\n%s", cmd.CommandPath(), cmd.Example)
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return flags.with(cmd, func(ctx context.Context, t *target) error {
			p, err := t.SetPolicies(ctx, admin.PolicyChange{Classes: classes, Rules: append([]string{}, args...)})
			if err != nil {
				return err
			}
			if flags.json {
				return writeJSON(cmd.OutOrStdout(), p)
			}
			if err := showPolicies(cmd.OutOrStdout(), p); err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.ErrOrStderr(), "in force until the next restart or reload: what is to stay belongs into [policy] of the configuration")
			return err
		})
	}
	return cmd
}

func policyTestCommand() *cobra.Command {
	var test admin.PolicyTest
	cmd := &cobra.Command{
		Use:   "test ACCOUNT",
		Short: "Say what would become of a login",
		Long: `Say what would become of a login at this moment: which rule is for it, who would
end for it, what its client would be told. Nothing changes.

With --device, --software or --name the client is one that tells what it is and is
bound with its login (XEP-0386): --resource is its tag then. Any word that is the
id of no device is a new one. Without them it binds in the older way. --rule and
--class try rules that are not in force.`,
		Example: `  weir policy test juliet@localhost --resource balcony
  weir policy test juliet@localhost --device k3fw7hq2mzt5bnvd --software Gajim
  weir policy test juliet@localhost --rule 'single role=user'`,
		Args: exactly("the address of the account"),
	}
	flags := sessionFlagsOf(cmd)
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	f := cmd.Flags()
	f.StringVar(&test.Resource, "resource", "", "the resource, or the tag, that the client asks for (default: the server makes one)")
	f.StringVar(&test.Device, "device", "", "the id of the device, as \"weir session show\" has it")
	f.StringVar(&test.Software, "software", "", "what the client calls itself")
	f.StringVar(&test.Name, "name", "", "what the client calls the device")
	f.StringVar(&test.Role, "role", "", "as if the account had this role")
	f.StringArrayVar(&test.Rules, "rule", nil, "as if this rule were in force (several times for several)")
	f.StringArrayVar(&test.Classes, "class", nil, "as if there were this class (several times for several)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		test.Account = args[0]
		return flags.with(cmd, func(ctx context.Context, t *target) error {
			o, err := t.TestPolicy(ctx, test)
			if err != nil {
				return err
			}
			if flags.json {
				return writeJSON(cmd.OutOrStdout(), o)
			}
			return showOutcome(cmd.OutOrStdout(), o)
		})
	}
	return cmd
}

func showOutcome(w io.Writer, o sessionmgr.Outcome) error {
	rule := o.Rule
	if rule == "" {
		rule = "none is for it"
	}
	outcome := "refused"
	if o.Bound {
		outcome = "bound"
		if o.Resource != "" {
			outcome += " as " + o.Account + "/" + o.Resource
		}
	}
	rows := [][]string{
		{"account", o.Account + " (role " + dash(o.Role) + ")"},
		{"class of device", dash(o.Class)},
		{"rule", rule},
		{"outcome", outcome},
		{"client reads", o.Told},
	}
	if o.Wait > 0 {
		wait := time.Duration(o.Wait * float64(time.Second))
		rows = append(rows, []string{"waits", span(wait) + " before: sessions of the account replace each other again and again"})
	}
	if o.Bound && len(o.Replaces) == 0 {
		rows = append(rows, []string{"ends", "nobody"})
	}
	for _, r := range o.Replaces {
		rows = append(rows, []string{"ends", fmt.Sprintf("%s %s (%s, %s)", r.ID, r.JID, r.State, r.Why)})
		if r.Told != "" {
			rows = append(rows, []string{"  reads", r.Told})
		}
	}
	return table(w, nil, rows)
}
