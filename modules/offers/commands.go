package offers

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"weir/jid"
	"weir/sessionmgr"
	"weir/stanza"
	"weir/stanza/dataform"
)

// NS begins the nodes of the commands.
const NS = "weir:offers"

// Command is one thing that a session can do by itself (XEP-0050).
type Command struct {
	Node string
	Name string
	When func(*sessionmgr.Session) bool // nil: always
	Form func(*sessionmgr.Session) *dataform.Form
	// Run does it for the session and returns what is told. An error that is a
	// stanza.Error is the answer.
	Run func(ctx context.Context, s *sessionmgr.Session, answer *dataform.Form) (note string, err error)
}

// Commands returns what users can do, nothing unless offers are enabled.
func (mod *Module) Commands() []Command {
	if !mod.o.Enabled {
		return nil
	}
	has := func(s *sessionmgr.Session) bool {
		list, _ := mod.list.Get(s)
		return len(list) > 0
	}
	return []Command{
		{NS + "#add", "Offer a file", nil, askAdd, mod.add},
		{NS + "#cancel", "Take the offer of a file back", has, mod.askCancel, mod.cancel},
	}
}

func askAdd(*sessionmgr.Session) *dataform.Form {
	return &dataform.Form{Title: "Offer a file that is on the web", Fields: []dataform.Field{
		dataform.Typed(NS),
		{Var: "url", Type: dataform.TextSingle, Label: "Link to the file (https)", Required: dataform.Must()},
		{Var: "name", Type: dataform.TextSingle, Label: "Its name"},
		{Var: "desc", Type: dataform.TextSingle, Label: "What it is"},
		{Var: "to", Type: dataform.JIDMulti, Label: "To whom", Required: dataform.Must()},
	}}
}

// askCancel has the list of what is offered: to see it, and to choose from.
func (mod *Module) askCancel(s *sessionmgr.Session) *dataform.Form {
	choice := dataform.Field{Var: "offer", Type: dataform.ListSingle, Label: "Which", Required: dataform.Must()}
	for _, o := range mod.List(s) {
		choice.Options = append(choice.Options, dataform.Option{Label: o.label(), Value: o.ID})
	}
	return &dataform.Form{Title: "Take the offer of a file back", Fields: []dataform.Field{
		dataform.Typed(NS), choice,
		{Var: "of", Type: dataform.JIDMulti, Label: "From whom; nobody named is from all"},
	}}
}

// label is an offer on a line, for people.
func (o Offer) label() string {
	name := o.File.Name
	if name == "" {
		name = o.File.URL
	}
	to := o.To[0].String()
	if more := len(o.To) - 1; more > 0 {
		to = fmt.Sprintf("%s and %d more", to, more)
	}
	return name + " to " + to
}

func (mod *Module) add(ctx context.Context, s *sessionmgr.Session, answer *dataform.Form) (string, error) {
	to, err := addresses(answer.Values("to"))
	if err != nil {
		return "", err
	}
	offer, err := mod.Add(ctx, s, File{
		URL: strings.TrimSpace(answer.Value("url")), Name: answer.Value("name"), Description: answer.Value("desc"),
	}, to...)
	if err != nil && len(offer.To) == 0 {
		return "", told(err)
	}
	return fmt.Sprintf("offered to %d of %d", len(offer.To), len(to)), nil
}

func (mod *Module) cancel(ctx context.Context, s *sessionmgr.Session, answer *dataform.Form) (string, error) {
	of, err := addresses(answer.Values("of"))
	if err != nil {
		return "", err
	}
	return "taken back: they were asked to forget the link", told(mod.Cancel(ctx, s, answer.Value("offer"), of...))
}

func addresses(values []string) (all []jid.JID, err error) {
	for _, v := range values {
		j, err := jid.Parse(v)
		if err != nil {
			return nil, stanza.NotAcceptable(fmt.Sprintf("%q is no address", v))
		}
		all = append(all, j)
	}
	return all, nil
}

// told is an error as a user is told it.
func told(err error) error {
	if err == nil {
		return nil
	}
	reason := strings.TrimPrefix(err.Error(), "offers: ")
	switch {
	case errors.Is(err, ErrBadOffer):
		return stanza.NotAcceptable(reason)
	case errors.Is(err, ErrTooMany), errors.Is(err, sessionmgr.ErrAttributeSize):
		return stanza.ResourceConstraint(reason)
	case errors.Is(err, ErrNoOffer):
		return stanza.ItemNotFound(reason)
	}
	return err
}
