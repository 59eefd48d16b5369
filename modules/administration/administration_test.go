package administration_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/auth"
	"weir/jid"
	"weir/modules/administration"
	"weir/sessionmgr/sessiontest"
	"weir/stanza"
	"weir/stanza/dataform"
)

// accounts are those of a test, by address.
type accounts map[string]*auth.Account

var errDisk = errors.New("the disk burns")

func (a accounts) known(j jid.JID) error {
	if j.Local() == "broken" {
		return errDisk
	}
	if a[j.String()] == nil {
		return auth.ErrNoAccount
	}
	return nil
}

func (a accounts) Create(_ context.Context, j jid.JID, password string) error {
	switch {
	case a[j.String()] != nil:
		return auth.ErrExists
	case len(password) < 3:
		return fmt.Errorf("%w: too short", auth.ErrWeakPassword)
	}
	a[j.String()] = &auth.Account{JID: j}
	return nil
}

func (a accounts) SetPassword(_ context.Context, j jid.JID, _ string) error { return a.known(j) }

func (a accounts) SetDisabled(_ context.Context, j jid.JID, disabled bool) error {
	if err := a.known(j); err != nil {
		return err
	}
	a[j.String()].Disabled = disabled
	return nil
}

func (a accounts) Delete(_ context.Context, j jid.JID) error {
	defer delete(a, j.String())
	return a.known(j)
}

func (a accounts) Exists(_ context.Context, j jid.JID) (bool, error) {
	if j.Local() == "broken" {
		return false, errDisk
	}
	return a[j.String()] != nil, nil
}

func (a accounts) Accounts(_ context.Context, _ string, fn func(auth.Account) bool) error {
	var names []string
	for name := range a {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if !fn(*a[name]) {
			break
		}
	}
	return nil
}

func people(names ...string) accounts {
	a := accounts{}
	for _, n := range names {
		a[n+"@verona.lit"] = &auth.Account{JID: jid.MustParse(n + "@verona.lit")}
	}
	return a
}

// do runs a command as juliet, with an answer of "field=value" words.
func do(t *testing.T, mod *administration.Module, node string, words ...string) (administration.Result, error) {
	t.Helper()
	for _, c := range mod.Commands() {
		if c.Node != node {
			continue
		}
		var answer *dataform.Form
		if c.Form != nil {
			given := &dataform.Form{}
			for _, w := range words {
				name, value, _ := strings.Cut(w, "=")
				given.Fields = append(given.Fields, dataform.Field{Var: name, Values: strings.Split(value, ",")})
			}
			var err error
			if answer, err = c.Form.Check(given); err != nil {
				return administration.Result{}, err
			}
		}
		return c.Run(t.Context(), jid.MustParse("juliet@verona.lit"), answer)
	}
	t.Fatalf("no command %s", node)
	return administration.Result{}, nil
}

func TestAccounts(t *testing.T) {
	h := sessiontest.New()
	t.Cleanup(h.Close)
	a := people("juliet", "romeo", "nurse")
	mod := administration.New(h.Manager, a, nil)
	for _, row := range []struct{ node, words, want string }{
		{"add-user", "accountjid=paris@verona.lit password=abc password-verify=abc", "paris@verona.lit added false"},
		{"add-user", "accountjid=paris@verona.lit password=abc password-verify=abc", "the account exists already"},
		{"add-user", "accountjid=tybalt@verona.lit password=abc password-verify=abd", "the two passwords differ true"},
		{"add-user", "accountjid=tybalt@verona.lit password=a password-verify=a", "password refused: too short true"},
		{"add-user", "accountjid=tybalt@mantua.lit password=abc password-verify=abc", "mantua.lit is not a domain of this server true"},
		{"add-user", "accountjid=verona.lit password=abc password-verify=abc", "no account's address true"},
		{"add-user", "accountjid=tybalt@verona.lit", "has to be filled in"},
		{"change-user-password", "accountjid=romeo@verona.lit password=abc", "romeo@verona.lit has a new password false"},
		{"change-user-password", "accountjid=nobody@verona.lit password=abc", "there is no such account"},
		{"change-user-password", "accountjid=broken@verona.lit password=abc", "the disk burns"},
		{"change-user-password", "accountjid=romeo@verona.lit/x password=abc", "no account's address true"},
		{"disable-user", "accountjids=romeo@verona.lit,nurse@verona.lit", "2 disabled false"},
		{"get-disabled-users-num", "", "disabledusersnum [2]"},
		{"reenable-user", "accountjids=nurse@verona.lit", "1 enabled false"},
		{"get-disabled-users-list", "max_items=25", "disableduserjids [romeo@verona.lit]"},
		{"get-registered-users-num", "", "registeredusersnum [4]"},
		{"get-registered-users-list", "max_items=none", "registereduserjids [juliet@verona.lit nurse@verona.lit paris@verona.lit romeo@verona.lit]"},
		{"get-registered-users-list", "max_items=7", "something else than its choices"},
		{"delete-user", "accountjids=juliet@verona.lit,nobody@verona.lit,romeo@verona.lit", "1 deleted; not juliet@verona.lit: your own account, nobody@verona.lit: no such account true"},
		{"delete-user", "accountjids=broken@verona.lit", "the disk burns"},
		{"delete-user", "", "has to be filled in"},
	} {
		r, err := do(t, mod, row.node, strings.Fields(row.words)...)
		got := fmt.Sprint(r.Note, " ", r.Failed, " ", err)
		if r.Form != nil {
			got = fmt.Sprint(r.Form.Fields[1].Var, " ", r.Form.Fields[1].Values)
		}
		if !strings.Contains(got, row.want) {
			t.Errorf("%s %s: %s, want %s", row.node, row.words, got, row.want)
		}
	}
}

func TestLongList(t *testing.T) {
	h := sessiontest.New()
	t.Cleanup(h.Close)
	a := accounts{}
	for i := range 1100 {
		j := jid.MustParse(fmt.Sprintf("user%04d@verona.lit", i))
		a[j.String()] = &auth.Account{JID: j}
	}
	mod := administration.New(h.Manager, a, nil)
	for max, want := range map[string]int{"50": 50, "none": 1000} {
		r, err := do(t, mod, "get-registered-users-list", "max_items="+max)
		if err != nil || len(r.Form.Fields[1].Values) != want || r.Note != fmt.Sprintf("the first %d, there are more", want) {
			t.Errorf("%s: %d, %q, %v", max, len(r.Form.Fields[1].Values), r.Note, err)
		}
	}
	for i := range 200 { // 200 addresses of more than 64 KiB
		j := jid.MustParse(fmt.Sprintf("%s%04d@verona.lit", strings.Repeat("a", 900), i))
		a[j.String()] = &auth.Account{JID: j}
	}
	if r, err := do(t, mod, "get-registered-users-list", "max_items=200"); err != nil || len(r.Form.Fields[1].Values) != 71 {
		t.Errorf("%d addresses, %v", len(r.Form.Fields[1].Values), err)
	}
}

func TestSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := sessiontest.New()
		defer h.Close()
		mod := administration.New(h.Manager, people("juliet", "romeo"), nil)
		h.Bind("juliet@verona.lit/x")
		time.Sleep(11 * time.Minute)
		romeo, away := h.Bind("romeo@verona.lit/x"), h.Bind("romeo@verona.lit/y")
		romeo.SetPresence(&stanza.Stanza{Kind: stanza.Presence, From: romeo.JID()}, 0)
		for node, want := range map[string]string{
			"get-online-users-list": "[juliet@verona.lit romeo@verona.lit]", "get-active-users": "[romeo@verona.lit]",
			"get-idle-users": "[juliet@verona.lit]", "get-online-users-num": "[2]",
		} {
			if r, err := do(t, mod, node); err != nil || fmt.Sprint(r.Form.Fields[1].Values) != want {
				t.Errorf("%s: %+v, %v", node, r, err)
			}
		}
		if r, err := do(t, mod, "announce", "announcement=night,<day>"); err != nil || r.Note != "1 session has it" {
			t.Errorf("%+v, %v", r, err)
		}
		if got := strings.Join(romeo.Got(), ""); !strings.Contains(got, "type='headline'") || !strings.Contains(got, "<body>night\n&lt;day&gt;</body>") {
			t.Errorf("told %s", got)
		}
		if got := away.Got(); len(got) > 0 {
			t.Errorf("not available, and got %s", got)
		}
		if r, err := do(t, mod, "end-user-session", "accountjids=romeo@verona.lit/y"); err != nil || r.Note != "1 session ended" || len(h.ByAccount(romeo.JID().Bare())) != 1 {
			t.Errorf("%+v, %v", r, err)
		}
		if r, err := do(t, mod, "end-user-session", "accountjids=romeo@verona.lit"); err != nil || r.Note != "1 session ended" || !strings.Contains(romeo.Cause().Text, "juliet@verona.lit") {
			t.Errorf("%+v, %v", r, err)
		}
		for addresses, want := range map[string]string{
			"romeo@verona.lit":   "0 sessions ended; not romeo@verona.lit: nobody is logged in",
			"romeo@verona.lit/z": "0 sessions ended; not romeo@verona.lit/z: no such session",
			"paris@verona.lit":   "0 sessions ended; not paris@verona.lit: no such account",
			"paris@verona.lit/x,a@mantua.lit,juliet@verona.lit": "1 session ended; not a@mantua.lit: no account of this server, paris@verona.lit/x: no such account",
		} {
			if r, err := do(t, mod, "end-user-session", "accountjids="+addresses); err != nil || !r.Failed || r.Note != want {
				t.Errorf("%s: %+v, %v, want %s", addresses, r, err, want)
			}
		}
		if r, err := do(t, mod, "end-user-session", "accountjids=broken@verona.lit"); !errors.Is(err, errDisk) {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

func Example() {
	h := sessiontest.New()
	defer h.Close()
	for _, c := range administration.New(h.Manager, people(), nil).Commands()[:3] {
		fmt.Println(c.Node, "-", c.Name)
	}
	// Output:
	// add-user - Add an account
	// delete-user - Delete accounts
	// disable-user - Lock accounts
}
