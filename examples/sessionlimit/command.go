package main

import (
	"context"
	"fmt"
	"strconv"

	"weir/auth"
	"weir/jid"
	"weir/modules/commands"
	"weir/stanza/dataform"
)

// Command is how an admin sets a limit from a client.
func (l *Limit) Command() commands.Command {
	return commands.Command{
		Node: "urn:example:session-limit", Name: "Limit the sessions of an account",
		Roles: []string{auth.RoleAdmin},
		Stages: []commands.Stage{func(context.Context, *commands.Call) (*dataform.Form, error) {
			return &dataform.Form{Title: "Limit the sessions of an account", Fields: []dataform.Field{
				{Var: "account", Type: dataform.JIDSingle, Label: "Address of the account", Required: dataform.Must()},
				{Var: "most", Label: "Sessions at once, 0 for no limit", Required: dataform.Must()},
			}}, nil
		}},
		Run: l.run,
	}
}

// run does what was filled in. The form was checked: each field is there, and the
// address is one.
func (l *Limit) run(ctx context.Context, c *commands.Call) (commands.Result, error) {
	answer := c.Answers[0]
	account, err := jid.Parse(answer.Value("account"))
	if err != nil {
		return commands.Failed("%v", err), nil
	}
	most, err := strconv.Atoi(answer.Value("most"))
	if err != nil || most < 0 {
		return commands.Failed("%q is no number of sessions", answer.Value("most")), nil
	}
	if ok, err := l.m.Exists(ctx, account.Bare()); err != nil {
		return commands.Result{}, err
	} else if !ok {
		return commands.Failed("there is no account %s", account.Bare()), nil
	}
	if err := l.Set(ctx, account.Bare(), most); err != nil {
		return commands.Result{}, err
	}
	if most == 0 {
		return commands.Result{Note: account.Bare().String() + " has no limit of its own"}, nil
	}
	return commands.Result{Note: fmt.Sprintf("%s may have %d sessions at once", account.Bare(), most)}, nil
}
