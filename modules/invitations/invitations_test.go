package invitations

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/auth"
	"weir/jid"
	"weir/sessionmgr/sessiontest"
	"weir/stanza"
	"weir/stanza/dataform"
	"weir/storage"
)

// people are accounts, and who became whose contact.
type people struct {
	there   map[string]bool
	locked  map[string]bool
	friends []string
	fails   error
}

func (p *people) Create(_ context.Context, j jid.JID, password string) error {
	switch {
	case p.fails != nil:
		return p.fails
	case p.there[j.String()]:
		return auth.ErrExists
	case len(password) < 8:
		return auth.ErrWeakPassword
	}
	p.there[j.String()] = true
	return nil
}

func (p *people) Exists(_ context.Context, j jid.JID) (bool, error) {
	return p.there[j.Bare().String()], nil
}

func (p *people) Lookup(_ context.Context, j jid.JID) (auth.Account, error) {
	if !p.there[j.String()] {
		return auth.Account{}, auth.ErrNoAccount
	}
	return auth.Account{JID: j, Disabled: p.locked[j.String()]}, nil
}

func (p *people) Befriend(_ context.Context, a, b jid.JID) error {
	p.friends = append(p.friends, a.String()+" "+b.String())
	return nil
}

func setUp(t testing.TB, o Options) (*Module, *people, *sessiontest.House) {
	t.Helper()
	h := sessiontest.New()
	p := &people{there: map[string]bool{"romeo@verona.lit": true}, locked: map[string]bool{}}
	o.Enabled = true
	mod, err := New(h.Manager, h.Store, p, p, o)
	if err != nil {
		t.Fatal(err)
	}
	return mod, p, h
}

var romeo = jid.MustParse("romeo@verona.lit")

func created(t *testing.T, mod *Module, w Wish) (Made, shown) {
	t.Helper()
	w.Domain = sessiontest.Domain
	made, err := mod.Create(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	return made, shown{made.Domain, hashOf(made.Token)}
}

// TestLife: an invitation ends by itself, a name that it reserved is then free, and
// its record goes with the next that is made.
func TestLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mod, _, h := setUp(t, Options{MaxOpen: 2})
		defer h.Close()
		made, sh := created(t, mod, Wish{Name: "rosaline", By: romeo, Life: time.Hour})
		if _, err := mod.Create(t.Context(), Wish{Domain: made.Domain, Name: "Rosaline"}); !errors.Is(err, ErrTaken) {
			t.Errorf("a reserved name: %v", err)
		}
		created(t, mod, Wish{By: romeo, Inviter: romeo})
		if _, err := mod.Create(t.Context(), Wish{Domain: made.Domain, By: romeo}); !errors.Is(err, ErrTooMany) {
			t.Errorf("a third of one account: %v", err)
		}
		time.Sleep(time.Hour)
		list, err := mod.List(t.Context())
		if err != nil || len(list) != 1 || list[0].Inviter != "romeo@verona.lit" {
			t.Errorf("%+v, %v", list, err)
		}
		created(t, mod, Wish{Name: "rosaline", By: romeo})
		if _, err := mod.open(t.Context(), sh.domain, sh.hash); !errors.Is(err, ErrNotFound) {
			t.Errorf("the record of one that is over: %v", err)
		}
	})
}

// TestRegister holds who comes in and what that does.
func TestRegister(t *testing.T) {
	mod, p, h := setUp(t, Options{})
	defer h.Close()
	made, sh := created(t, mod, Wish{Inviter: romeo, By: romeo, Uses: 2})
	try := func(name, password, want string) {
		t.Helper()
		_, err := mod.register(t.Context(), sh, request{name, password})
		condition := ""
		if se, ok := stanza.AsError(err); ok {
			condition = string(se.Condition)
		} else if err != nil {
			condition = err.Error()
		}
		if condition != want {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	try("", "correct horse", "not-acceptable")
	try("romeo", "correct horse", "conflict")
	p.fails = storage.ErrFull
	try("juliet", "correct horse", "internal-server-error")
	p.fails = nil
	try("juliet", "correct horse", "")
	p.locked["romeo@verona.lit"] = true
	try("paris", "correct horse", "item-not-found")
	p.locked["romeo@verona.lit"] = false
	try("paris", "correct horse", "")
	try("tybalt", "correct horse", "item-not-found")
	if got := strings.Join(p.friends, ","); got != "romeo@verona.lit juliet@verona.lit,romeo@verona.lit paris@verona.lit" {
		t.Errorf("contacts: %s", got)
	}
	if err := mod.Revoke(t.Context(), made.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("revoked what is used up: %v", err)
	}
}

// TestWishes holds what can't be had.
func TestWishes(t *testing.T) {
	mod, _, h := setUp(t, Options{All: 2})
	defer h.Close()
	for _, w := range []Wish{
		{Domain: "elsewhere.lit"}, {Name: "a b"}, {Life: time.Second}, {Life: 2 * maxLife}, {Uses: maxUses + 1}, {Name: "juliet", Uses: 2},
		{Inviter: jid.MustParse("nobody@verona.lit")},
	} {
		if w.Domain == "" {
			w.Domain = sessiontest.Domain
		}
		if _, err := mod.Create(t.Context(), w); !errors.Is(err, ErrBad) {
			t.Errorf("%+v: %v", w, err)
		}
	}
	if _, err := mod.Create(t.Context(), Wish{Domain: sessiontest.Domain, Name: "romeo"}); !errors.Is(err, ErrTaken) {
		t.Error(err)
	}
	for range 2 {
		created(t, mod, Wish{})
	}
	if _, err := mod.Create(t.Context(), Wish{Domain: sessiontest.Domain}); !errors.Is(err, ErrTooMany) {
		t.Error(err)
	}
	mod.o.Enabled = false
	if _, err := mod.Create(t.Context(), Wish{Domain: sessiontest.Domain}); !errors.Is(err, ErrOff) || mod.Commands() != nil {
		t.Error(err)
	}
	for _, o := range []Options{{Life: 1}, {MaxOpen: -1}, {All: -1}} {
		if _, err := New(h.Manager, h.Store, nil, nil, o); err == nil {
			t.Errorf("%+v is no error", o)
		}
	}
}

// TestCommands holds the links that commands give (XEP-0401 §5.1, §5.4).
func TestCommands(t *testing.T) {
	mod, _, h := setUp(t, Options{})
	defer h.Close()
	all := mod.Commands()
	answer := func(name, contact string) *dataform.Form {
		return &dataform.Form{Fields: []dataform.Field{{Var: "username", Values: []string{name}}, {Var: "roster-subscription", Values: []string{contact}}}}
	}
	for _, c := range []struct {
		n      int
		answer *dataform.Form
		before string
		after  string
	}{
		{0, nil, "xmpp:romeo@verona.lit?roster;preauth=", ";ibr=y"},
		{1, answer("", "1"), "xmpp:verona.lit?register;preauth=", ""},
		{1, answer("d'artagnan", "0"), "", ""},
		{1, answer("zoë", "true"), "xmpp:zo%C3%AB@verona.lit?register;preauth=", ""},
	} {
		form, err := all[c.n].Run(t.Context(), romeo, c.answer)
		if c.before == "" {
			if err == nil {
				t.Errorf("%+v is no error", c.answer)
			}
			continue
		}
		if err != nil || form.Value("FORM_TYPE") != NS+"#invitation" || form.Value("expire") == "" {
			t.Fatalf("%+v, %v", form, err)
		}
		u := form.Value("uri")
		token := strings.TrimSuffix(strings.TrimPrefix(u, c.before), c.after)
		if len(u) != len(c.before)+len(c.after)+26 || strings.ContainsAny(token, ":;?") {
			t.Errorf("%s", u)
		}
	}
}

// TestRecords: what is damaged is good for nothing and disturbs no other.
func TestRecords(t *testing.T) {
	mod, _, h := setUp(t, Options{})
	defer h.Close()
	_, sh := created(t, mod, Wish{})
	var b storage.Batch
	for i, rec := range []string{"", "{}", "x", `{"id":"5f0c7a4e9b1d","domain":"verona.lit","uses":0,"expires":"2999-01-01T00:00:00Z"}`, `{"more":1}`} {
		if CheckRecord(tableInvitations, []byte(rec)) == nil {
			t.Errorf("%q can be read", rec)
		}
		mod.all.Put(&b, sh.domain, fmt.Sprint(i), []byte(rec))
	}
	if err := storage.Commit(t.Context(), h.Store, &b); err != nil {
		t.Fatal(err)
	}
	if _, err := mod.open(t.Context(), sh.domain, "0"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	list, err := mod.List(t.Context())
	if err != nil || len(list) != 1 || CheckRecord(tableInvitations, encode(&list[0])) != nil || CheckRecord("other", nil) != nil {
		t.Errorf("%+v, %v", list, err)
	}
}

func Example() {
	h := sessiontest.New()
	defer h.Close()
	p := &people{there: map[string]bool{}}
	mod, err := New(h.Manager, h.Store, p, p, Options{Enabled: true})
	if err != nil {
		panic(err)
	}
	made, err := mod.Create(context.Background(), Wish{Domain: "verona.lit", Name: "juliet"})
	link, _, _ := strings.Cut(made.URI, "=")
	fmt.Println(link, made.Uses, err)
	// Output: xmpp:juliet@verona.lit?register;preauth 1 <nil>
}
