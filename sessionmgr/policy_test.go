package sessionmgr

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"weir/hook"
	"weir/jid"
	"weir/policy"
	"weir/stanza"
)

const juliet = "juliet@verona.lit"

// rules has policies be in force; those that begin with "class " are classes.
func (h *house) rules(texts ...string) {
	h.t.Helper()
	var o policy.Options
	for _, text := range texts {
		if class, ok := strings.CutPrefix(text, "class "); ok {
			o.Classes = append(o.Classes, class)
		} else {
			o.Rules = append(o.Rules, text)
		}
	}
	set, err := policy.Parse(o)
	if err != nil {
		h.t.Fatal(err)
	}
	h.SetPolicies(set, "a test")
}

// seat is a session of the tests' account: "resource", with marks behind it that
// stand for what its client is. "~" it has lost its connection, "=ID" its device,
// "+" it is bound with its login, "!" its software is App.
type seat string

func (x seat) trial() (t Trial, asleep bool) {
	name := string(x)
	name, device, _ := strings.Cut(name, "=")
	t.Account, t.Role = jid.MustParse(juliet), "user"
	t.Device.ID = strings.TrimRight(device, "~+!")
	t.Inline = strings.Contains(string(x), "+")
	if strings.Contains(string(x), "!") {
		t.Device.Software = "App 2"
	}
	t.Resource = strings.TrimRight(name, "~+!")
	return t, strings.Contains(string(x), "~")
}

// sit binds a session.
func (h *house) sit(x seat) (*client, error) {
	h.t.Helper()
	t, asleep := x.trial()
	c := h.connect(juliet)
	c.SetRole(t.Role)
	if t.Device != (Device{}) {
		c.SetDevice(t.Device)
	}
	b := &Binding{Resource: t.Resource, Own: t.Inline}
	if err := c.bindWith(b, func(jid.JID) {}); err != nil {
		return c, err
	}
	if asleep {
		c.enable()
		c.cut()
	}
	return c, nil
}

// TestPolicies goes through what each policy does, and holds that what Try says
// before is what happens then.
func TestPolicies(t *testing.T) {
	phones := "class phone software=App"
	for _, c := range []struct {
		rules   string
		there   []seat
		comes   seat
		refused string // condition
		ends    string // resources, with why
	}{
		// Without a rule.
		{"", []seat{"a", "b"}, "c", "", ""},
		{"", []seat{"a", "b"}, "a", "", "a same-resource"},
		{"", []seat{"a=1", "b=1"}, "c=1", "", ""},
		{"", []seat{"a=1", "b=1~", "c=2+"}, "d=1+", "", "a same-device, b same-device"},
		{"open role=guest", []seat{"a", "b"}, "a", "", "a same-resource"},

		{"single", []seat{"a", "b~", "c=1+"}, "d", "", "a policy, b policy, c policy"},
		{"single", nil, "d", "", ""},
		{"single", []seat{"a"}, "a", "", "a policy"},
		{"single role=guest", []seat{"a"}, "b", "", ""},
		{"single class=phone", []seat{"a", "b!", "c!~"}, "d!+", "", "b policy, c policy"},
		{"single class=phone", []seat{"a", "b!"}, "b", "", "b same-resource"}, // of another rule, and yet it has the name
		{"open class=phone; single", []seat{"a", "b!"}, "c", "", "a policy"},

		{"single-refuse", []seat{"a"}, "b", "resource-constraint", ""},
		{"single-refuse", []seat{"a"}, "a", "conflict", ""},
		{"single-refuse", []seat{"a"}, "b=1+", "resource-constraint", ""},
		{"single-refuse", []seat{"a~"}, "b", "", "a policy"},         // it holds nobody's place
		{"single-refuse", []seat{"a=1"}, "b=1", "", "a same-device"}, // its own client is back
		{"single-refuse class=phone", []seat{"a", "b!"}, "c", "", ""},
		{"single-refuse class=phone", []seat{"a", "b!~"}, "c!", "", "b policy"},

		{"per-device", []seat{"a=1", "b=2", "c"}, "d=1", "", "a same-device"},
		{"per-device", []seat{"a=1~", "b=2", "c"}, "d=1+", "", "a same-device"},
		{"per-device", []seat{"a=1", "c"}, "c=2", "", "c same-resource"},
		{"per-device", []seat{"a=1", "c"}, "c", "", "c same-resource"},
		{"per-device", []seat{"a=1"}, "b", "", ""},
		{"per-device max=2", []seat{"a=1", "b=2"}, "c=3", "resource-constraint", ""},
		{"per-device max=2", []seat{"a=1", "b=2"}, "c=2", "", "b same-device"},

		{"open max=2", []seat{"a", "b"}, "c", "resource-constraint", ""},
		{"open max=2", []seat{"a", "b"}, "b", "", "b same-resource"},
		{"open max=2", []seat{"a", "b~"}, "c", "", "b makes-room"},
		{"open max=1", []seat{"a~", "b~"}, "c", "", "a makes-room, b makes-room"}, // of before the rule
		{"open max=1", []seat{"a~", "b"}, "c", "resource-constraint", ""},
		{"open max=1 class=phone", []seat{"a", "b!", "c~"}, "d!", "resource-constraint", ""},
		{"open max=1 class=phone", []seat{"a", "b!", "c~"}, "d", "", ""},
		{"mirror max=1", []seat{"a"}, "b", "resource-constraint", ""},
		{"mirror", []seat{"a"}, "b", "", ""},
	} {
		t.Run(fmt.Sprint(c.rules, c.there, c.comes), func(t *testing.T) {
			h := newHouse(t)
			var there []*client
			for _, x := range c.there {
				s, err := h.sit(x)
				if err != nil {
					t.Fatal(err)
				}
				there = append(there, s)
			}
			if c.rules != "" {
				h.rules(append(strings.Split(c.rules, "; "), phones)...)
			}
			trial, _ := c.comes.trial()
			said, err := h.Try(trial)
			if err != nil {
				t.Fatal(err)
			}
			s, err := h.sit(c.comes)
			if got := refusal(err); got != c.refused {
				t.Fatalf("refused with %q, want %q", got, c.refused)
			}
			var ended []string
			for i, old := range there {
				if old.State() != Destroyed {
					continue
				}
				at := slices.IndexFunc(said.Replaces, func(r Evicted) bool { return r.ID == old.ID() })
				if at < 0 {
					t.Fatalf("nobody has said that %s would end", c.there[i])
				}
				ended = append(ended, strings.TrimRight(strings.SplitN(string(c.there[i]), "=", 2)[0], "~+!")+" "+said.Replaces[at].Why)
				if old.Cause().Code != Replaced {
					t.Errorf("%s ended with %v", c.there[i], old.Cause())
				}
			}
			if got := strings.Join(ended, ", "); got != c.ends || len(ended) != len(said.Replaces) {
				t.Errorf("ended: %s; want %s; said: %+v", got, c.ends, said.Replaces)
			}
			if said.Bound != (err == nil) || said.Bound && said.Resource != "" && said.Resource != s.JID().Resource() {
				t.Errorf("said %+v; it is %v, %s", said, err, s.JID())
			}
			if !said.Bound && !strings.Contains(said.Told, "<"+c.refused+"/>") {
				t.Errorf("said that it is told %s", said.Told)
			}
		})
	}
}

func refusal(err error) string {
	if err == nil {
		return ""
	}
	return condition(err)
}

// TestPolicyGoodbye: what the two ends of a replacement are told.
func TestPolicyGoodbye(t *testing.T) {
	h := newHouse(t)
	h.rules("single role=user")
	a, _ := h.sit("a")
	b, err := h.sit("b")
	if err != nil {
		t.Fatal(err)
	}
	if a.goodbye == nil || a.goodbye.Err != "conflict" || len(a.goodbye.Text) != 1 || !strings.Contains(a.goodbye.Text[0].Value, "single role=user") {
		t.Errorf("told %+v", a.goodbye)
	}
	if want := "replaced: by session " + b.ID() + " (single role=user)"; a.Cause().String() != want {
		t.Errorf("cause %q, want %q", a.Cause(), want)
	}
	if d := b.Describe(); d.Policy != "single role=user" || d.Class != "" {
		t.Errorf("described as %q, %q", d.Policy, d.Class)
	}
	h.rules("single-refuse")
	_, err = h.sit("c")
	if e, ok := stanza.AsError(err); !ok || e.Type != "wait" || !strings.Contains(fmt.Sprint(e.Text), "single-refuse") {
		t.Errorf("%+v", err) // RFC 6120 §7.6.2.1
	}
}

// TestPoliciesAndResumption: a session that is resumed is none that is new, and a
// rule that came meanwhile ends nobody.
func TestPoliciesAndResumption(t *testing.T) {
	h := newHouse(t)
	a := h.bind(juliet + "/a")
	id := a.enable()
	a.cut()
	b := h.bind(juliet + "/b")
	h.rules("single-refuse")
	if a = h.mustResume(juliet, id, 0); a.State() != Bound || b.State() != Bound {
		t.Errorf("%s, %s", a.State(), b.State())
	}
	if _, err := h.sit("c"); refusal(err) != "resource-constraint" {
		t.Error(err)
	}
	h.rules("single")
	a.cut()
	c, err := h.sit("c")
	if err != nil || a.State() != Destroyed || b.State() != Destroyed {
		t.Fatalf("%v; %s, %s", err, a.State(), b.State())
	}
	if _, _, err := h.resume(juliet, id, 0); err == nil || c.State() != Bound {
		t.Errorf("resumed although another has taken its place: %v", err)
	}
}

// TestPolicyChangedInMidBind: a bind that has begun and not taken its place follows
// the rules that are in force when it does.
func TestPolicyChangedInMidBind(t *testing.T) {
	h := newHouse(t)
	h.rules("single-refuse")
	a, _ := h.sit("a")
	h.Hooks.PreBind.Add("change", hook.Late, func(_ context.Context, ev *PreBind) error {
		h.rules(map[string]string{"b": "single", "c": "open max=1", "d": "mirror"}[ev.Resource])
		return nil
	})
	b, err := h.sit("b")
	if err != nil || a.State() != Destroyed {
		t.Errorf("%v, %s", err, a.State())
	}
	if _, err := h.sit("c"); refusal(err) != "resource-constraint" || b.State() != Bound {
		t.Error(err)
	}
	if d, err := h.sit("d"); err != nil || !d.Carbons() || !b.Carbons() {
		t.Error(err)
	}
}

// TestPolicyRace: many clients of one account come and go while rules change. No
// bind hangs, no rule that held all the time is broken, and in the end one decides.
func TestPolicyRace(t *testing.T) {
	h := newHouse(t, func(o *Options) { o.MaxSessions = 12 })
	names := []seat{"a", "b", "c!", "d=1+", "e=1", "f=2!+", "g~"}
	sets := [][]string{{"single role=user"}, {"single-refuse"}, {"mirror max=3"}, {"per-device"}, {"open max=2 class=phone", "class phone software=App"}, nil}
	done := make(chan struct{})
	var changes, binds sync.WaitGroup
	changes.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
				h.rules(sets[i%len(sets)]...)
			}
		}
	})
	for i := range 8 {
		r := rand.New(rand.NewPCG(1, uint64(i)))
		binds.Go(func() {
			for range 40 {
				x := names[r.IntN(len(names))]
				tr, _ := x.trial()
				if _, err := h.Try(tr); err != nil {
					t.Error(err)
				}
				c := h.connect(juliet)
				c.SetDevice(tr.Device)
				err := c.bindWith(&Binding{Resource: tr.Resource, Own: tr.Inline}, func(jid.JID) {})
				if err != nil || r.IntN(3) > 0 { // those who leave have nobody replace them: no loop
					h.Kick(c.Session, Cause{Code: ClosedByClient}, nil)
				}
			}
		})
	}
	binds.Wait()
	close(done)
	changes.Wait()
	h.rules("single")
	if _, err := h.sit("z"); err != nil {
		t.Fatal(err)
	}
	h.settle()
	if all := h.ByAccount(jid.MustParse(juliet)); len(all) != 1 || all[0].Carbons() {
		t.Errorf("%d sessions are left", len(all))
	}
}

// TestSingleRace: of many that bind at once one stays, and with single-refuse that
// is the first: nobody is replaced.
func TestSingleRace(t *testing.T) {
	for _, rule := range []string{"single-refuse", "open max=1"} {
		h := newHouse(t)
		h.rules(rule)
		var wg sync.WaitGroup
		var mu sync.Mutex
		bound := 0
		for i := range 16 {
			c := h.connect(juliet)
			wg.Go(func() {
				err := h.Bind(context.Background(), c.Session, fmt.Sprint(i), func(jid.JID) {})
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					bound++
				} else if refusal(err) != "resource-constraint" {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := len(h.ByAccount(jid.MustParse(juliet))); bound != 1 || n != 1 {
			t.Errorf("%s: %d bound, %d are there", rule, bound, n)
		}
	}
}
