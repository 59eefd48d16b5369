package weir

import (
	"context"

	"weir/auth"
	"weir/modules/administration"
	"weir/modules/announce"
	"weir/modules/commands"
	"weir/modules/invitations"
	"weir/modules/offers"
	"weir/stanza/dataform"
)

// makeCommands offers the commands of the modules that have some.
func (s *Server) makeCommands() error {
	mod, err := commands.New(s.Sessions, s.Auth, s.Config.Commands)
	if err != nil {
		return err
	}
	s.Commands = mod
	for _, c := range administration.New(s.Sessions, s.Auth, s.Log).Commands() {
		mod.Offer(forAdmins(c))
	}
	for _, c := range s.modules.announce.Commands() {
		mod.Offer(ofAnnounce(c))
	}
	for _, c := range s.modules.invited.Commands() {
		mod.Offer(forInviters(c))
	}
	for _, c := range s.Offers.Commands() {
		mod.Offer(ofOffers(c))
	}
	s.modules.disco.HandleNodes(mod)
	return nil
}

// forAdmins is a command of service administration as clients are offered it.
func forAdmins(c administration.Command) commands.Command {
	out := commands.Command{Node: administration.NS + "#" + c.Node, Name: c.Name, Roles: []string{auth.RoleAdmin}}
	if c.Form != nil {
		out.Stages = []commands.Stage{func(context.Context, *commands.Call) (*dataform.Form, error) { return c.Form, nil }}
	}
	out.Run = func(ctx context.Context, call *commands.Call) (commands.Result, error) {
		var answer *dataform.Form
		if c.Form != nil {
			answer = call.Answers[0]
		}
		r, err := c.Run(ctx, call.Account(), answer)
		return commands.Result(r), err
	}
	return out
}

// forInviters is a command about invitations as clients are offered it.
func forInviters(c invitations.Command) commands.Command {
	out := commands.Command{Node: c.Node, Name: c.Name, Roles: c.Roles}
	if c.Form != nil {
		out.Stages = []commands.Stage{func(context.Context, *commands.Call) (*dataform.Form, error) { return c.Form, nil }}
	}
	out.Run = func(ctx context.Context, call *commands.Call) (commands.Result, error) {
		var answer *dataform.Form
		if c.Form != nil {
			answer = call.Answers[0]
		}
		form, err := c.Run(ctx, call.Account(), answer)
		return commands.Result{Form: form}, err
	}
	return out
}

// ofAnnounce is a command about the message of the day as admins are offered it.
func ofAnnounce(c announce.Command) commands.Command {
	out := commands.Command{Node: c.Node, Name: c.Name, Roles: []string{auth.RoleAdmin}}
	if c.Form != nil {
		out.Stages = []commands.Stage{func(_ context.Context, call *commands.Call) (*dataform.Form, error) {
			return c.Form(call.Account().Domain()), nil
		}}
	}
	out.Run = func(ctx context.Context, call *commands.Call) (commands.Result, error) {
		var answer *dataform.Form
		if c.Form != nil {
			answer = call.Answers[0]
		}
		note, err := c.Run(ctx, call.Account(), answer)
		return commands.Result{Note: note}, err
	}
	return out
}

// ofOffers is a command about offered files as users are offered it.
func ofOffers(c offers.Command) commands.Command {
	return commands.Command{
		Node: c.Node, Name: c.Name, When: c.When,
		Stages: []commands.Stage{func(_ context.Context, call *commands.Call) (*dataform.Form, error) {
			return c.Form(call.Session), nil
		}},
		Run: func(ctx context.Context, call *commands.Call) (commands.Result, error) {
			note, err := c.Run(ctx, call.Session, call.Answers[0])
			return commands.Result{Note: note}, err
		},
	}
}
