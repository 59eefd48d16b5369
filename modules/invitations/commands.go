package invitations

import (
	"context"
	"errors"
	"strings"
	"time"

	"weir/auth"
	"weir/jid"
	"weir/stanza"
	"weir/stanza/dataform"
)

// NS is the namespace of the commands.
const NS = "urn:xmpp:invite"

// Command is one command as it is offered to clients (XEP-0050).
type Command struct {
	Node  string
	Name  string
	Roles []string
	Form  *dataform.Form // nil: nothing is asked
	// Run does it. by is who asks; answer is what was filled in, nil where nothing
	// was asked. An error that is a stanza.Error is the answer.
	Run func(ctx context.Context, by jid.JID, answer *dataform.Form) (*dataform.Form, error)
}

// Commands returns the commands that accounts have, none unless invitations are enabled.
func (mod *Module) Commands() []Command {
	if !mod.o.Enabled {
		return nil
	}
	return []Command{
		{NS + "#invite", "Invite somebody", mod.o.Roles, nil, mod.invite}, // XEP-0401 §5.1
		{NS + "#create-account", "Invite somebody to an account", []string{auth.RoleAdmin}, // XEP-0401 §5.4
			&dataform.Form{Title: "Invite somebody to an account", Fields: []dataform.Field{
				dataform.Typed(NS + "#create-account"),
				{Var: "username", Type: dataform.TextSingle, Label: "Name of the account, empty for any"},
				{Var: "roster-subscription", Type: dataform.Boolean, Label: "Become contacts of each other", Values: []string{"0"}},
			}}, mod.createAccount},
	}
}

func (mod *Module) invite(ctx context.Context, by jid.JID, _ *dataform.Form) (*dataform.Form, error) {
	return mod.told(mod.Create(ctx, Wish{Domain: by.Domain(), Inviter: by, By: by}))
}

func (mod *Module) createAccount(ctx context.Context, by jid.JID, answer *dataform.Form) (*dataform.Form, error) {
	w := Wish{Domain: by.Domain(), Name: strings.TrimSpace(answer.Value("username")), By: by}
	if v := answer.Value("roster-subscription"); v == "1" || v == "true" {
		w.Inviter = by
	}
	made, err := mod.Create(ctx, w)
	if err == nil && w.Name == "" { // it is for an account, whoever becomes a contact (XEP-0401 §5.4)
		made.URI = uri(&Made{Token: made.Token, Invitation: Invitation{Domain: made.Domain}})
	}
	return mod.told(made, err)
}

// told is what is told of an invitation (XEP-0401 §5.1).
func (mod *Module) told(made Made, err error) (*dataform.Form, error) {
	reason := func() string { return strings.TrimPrefix(err.Error(), "invitations: ") }
	switch {
	case errors.Is(err, ErrTaken):
		return nil, stanza.Conflict(reason())
	case errors.Is(err, ErrTooMany):
		return nil, stanza.ResourceConstraint(reason())
	case errors.Is(err, ErrBad):
		return nil, stanza.NotAcceptable(reason())
	case err != nil:
		return nil, err
	}
	return &dataform.Form{Type: dataform.TypeResult, Fields: []dataform.Field{
		dataform.Typed(NS + "#invitation"),
		{Var: "uri", Type: dataform.TextSingle, Label: "Invitation", Values: []string{made.URI}},
		{Var: "expire", Type: dataform.TextSingle, Label: "Good until", Values: []string{made.Expires.UTC().Format(time.RFC3339)}},
	}}, nil
}
