package announce

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"weir/jid"
	"weir/stanza"
	"weir/stanza/dataform"
)

// Command is one thing that an admin can do (XEP-0050).
type Command struct {
	Node string
	Name string
	Form func(domain string) *dataform.Form // nil: nothing is asked
	// Run does it for the domain of who asks, by, and returns what is told. An error
	// that is a stanza.Error is the answer.
	Run func(ctx context.Context, by jid.JID, answer *dataform.Form) (note string, err error)
}

// NS is the namespace of service administration.
const NS = "http://jabber.org/protocol/admin"

// Commands returns what an admin can do (XEP-0133 §4.24 to §4.26).
func (mod *Module) Commands() []Command {
	form := func(title string, old bool) func(string) *dataform.Form {
		return func(domain string) *dataform.Form {
			field := dataform.Field{Var: "motd", Type: dataform.TextMulti, Label: "Message of the day", Required: dataform.Must()}
			if msg := mod.of(domain); old && msg != nil {
				field.Values = strings.Split(msg.Text, "\n")
			}
			return &dataform.Form{Title: title, Fields: []dataform.Field{dataform.Typed(NS), field}}
		}
	}
	return []Command{
		{NS + "#set-motd", "Set the message of the day", form("Tell everybody, once each", false), mod.set},
		{NS + "#edit-motd", "Edit the message of the day", form("Change it for those who haven't had it", true), mod.edit},
		{NS + "#delete-motd", "Delete the message of the day", nil, mod.remove},
	}
}

func (mod *Module) set(ctx context.Context, by jid.JID, answer *dataform.Form) (string, error) {
	n, err := mod.Set(ctx, by.Domain(), by, textOf(answer))
	return fmt.Sprintf("%d sessions are told now, everybody else at the next login", n), told(err)
}

func (mod *Module) edit(ctx context.Context, by jid.JID, answer *dataform.Form) (string, error) {
	return "changed", told(mod.Edit(ctx, by.Domain(), by, textOf(answer)))
}

func (mod *Module) remove(ctx context.Context, by jid.JID, _ *dataform.Form) (string, error) {
	return "deleted", told(mod.Delete(ctx, by.Domain(), by))
}

func textOf(answer *dataform.Form) string { return strings.Join(answer.Values("motd"), "\n") }

// told is an error as an admin is told it.
func told(err error) error {
	if err == nil {
		return nil
	}
	reason := strings.TrimPrefix(err.Error(), "announce: ")
	switch {
	case errors.Is(err, ErrNone):
		return stanza.ItemNotFound(reason)
	case errors.Is(err, ErrText):
		return stanza.NotAcceptable(reason)
	}
	return err
}
