package administration

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"weir/auth"
	"weir/jid"
	"weir/stanza/dataform"
)

// What a list holds at most, whatever is asked for.
const (
	maxListed      = 1000
	maxListedBytes = 64 << 10
)

// walk calls fn with each account of a list, until it returns false.
type walk func(ctx context.Context, fn func(jid.JID) bool) error

// listing is a list of accounts and their number.
type listing struct {
	count      string // node of the number; "" there is none
	countVar   string
	list       string // node of the list
	listVar    string
	walk       walk
	countTitle string
}

// lists are the commands that tell about accounts (XEP-0133 §4.13 to §4.22).
func (mod *Module) lists() (all []Command) {
	registered := func(want func(auth.Account) bool) walk {
		return func(ctx context.Context, fn func(jid.JID) bool) error {
			for _, d := range mod.m.Domains() {
				if err := mod.accounts.Accounts(ctx, d, func(a auth.Account) bool { return !want(a) || fn(a.JID) }); err != nil {
					return err
				}
			}
			return nil
		}
	}
	online := func(want func(time.Time) bool) walk {
		return func(_ context.Context, fn func(jid.JID) bool) error {
			var found []jid.JID
			mod.online(func(account jid.JID, last time.Time) {
				if want(last) {
					found = append(found, account)
				}
			})
			slices.SortFunc(found, func(a, b jid.JID) int { return cmp.Compare(a.String(), b.String()) })
			for _, j := range found {
				if !fn(j) {
					break
				}
			}
			return nil
		}
	}
	active := func(last time.Time) bool { return time.Since(last) < idleAfter }
	for _, l := range []listing{
		{"get-registered-users-num", "registeredusersnum", "get-registered-users-list", "registereduserjids",
			registered(func(auth.Account) bool { return true }), "accounts"},
		{"get-disabled-users-num", "disabledusersnum", "get-disabled-users-list", "disableduserjids",
			registered(func(a auth.Account) bool { return a.Disabled }), "locked accounts"},
		{"get-online-users-num", "onlineusersnum", "get-online-users-list", "onlineuserjids",
			online(func(time.Time) bool { return true }), "accounts that are online"},
		{"get-active-users-num", "activeusersnum", "get-active-users", "activeuserjids",
			online(active), "accounts that are active"},
		{"get-idle-users-num", "idleusersnum", "get-idle-users", "idleuserjids",
			online(func(last time.Time) bool { return !active(last) }), "accounts that are idle"},
	} {
		all = append(all,
			Command{l.count, "Number of " + l.countTitle, nil, l.number},
			Command{l.list, "List of " + l.countTitle, ask("List of "+l.countTitle, dataform.Field{
				Var: "max_items", Type: dataform.ListSingle, Label: "How many at most", Values: []string{"100"}, Options: howMany(),
			}), l.listed})
	}
	return all
}

// howMany are the choices of max_items (XEP-0133 §4.18).
func howMany() (all []dataform.Option) {
	for _, v := range []string{"25", "50", "75", "100", "150", "200", "none"} {
		all = append(all, dataform.Option{Label: v, Value: v})
	}
	return all
}

func (l *listing) number(ctx context.Context, _ jid.JID, _ *dataform.Form) (Result, error) {
	n := 0
	if err := l.walk(ctx, func(jid.JID) bool { n++; return true }); err != nil {
		return Result{}, err
	}
	return tell(dataform.Field{Var: l.countVar, Label: "Number of " + l.countTitle, Values: []string{strconv.Itoa(n)}}), nil
}

func (l *listing) listed(ctx context.Context, _ jid.JID, answer *dataform.Form) (Result, error) {
	limit := maxListed
	if n, err := strconv.Atoi(answer.Value("max_items")); err == nil {
		limit = min(n, limit)
	}
	field := dataform.Field{Var: l.listVar, Type: dataform.JIDMulti, Label: "List of " + l.countTitle}
	size, more := 0, false
	err := l.walk(ctx, func(j jid.JID) bool {
		if len(field.Values) == limit || size+len(j.String()) > maxListedBytes {
			more = true
			return false
		}
		size += len(j.String())
		field.Values = append(field.Values, j.String())
		return true
	})
	if err != nil {
		return Result{}, err
	}
	r := tell(field)
	if more {
		r.Note = fmt.Sprintf("the first %d, there are more", len(field.Values))
	}
	return r, nil
}

// tell is a result with one field.
func tell(f dataform.Field) Result {
	return Result{Form: &dataform.Form{Type: dataform.TypeResult, Fields: []dataform.Field{dataform.Typed(NS), f}}}
}
