package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func parse(t *testing.T, classes, rules []string) *Set {
	t.Helper()
	s, err := Parse(Options{Classes: classes, Rules: rules})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFind(t *testing.T) {
	s := parse(t,
		[]string{"phone software=Conversations", "phone-like name=Phone id=known", `web resource=web software="My Browser"`, "old id=unknown"},
		[]string{"mirror role=agent", "single-refuse role=guest class=old", "open max=2 class=phone", "per-device class=phone-like", "single role=guest"})
	for _, c := range []struct {
		client      Client
		class, rule string
	}{
		{Client{Role: "user", Known: true}, "", ""},
		{Client{Role: "agent", Software: "Conversations", Known: true}, "phone", "mirror role=agent"},
		{Client{Role: "user", Software: "conversations 2.1"}, "phone", "open max=2 class=phone"},
		{Client{Role: "user", Software: "Conversation", Known: true}, "", ""},
		{Client{Role: "user", Name: "phone of Juliet", Known: true}, "phone-like", "per-device class=phone-like"},
		{Client{Role: "user", Name: "phone of Juliet"}, "old", ""},
		{Client{Role: "user", Resource: "web/x7", Software: "my browser", Known: true}, "web", ""},
		{Client{Role: "user", Resource: "we", Software: "my browser", Known: true}, "", ""},
		{Client{Role: "guest"}, "old", "single-refuse role=guest class=old"},
		{Client{Role: "guest", Known: true}, "", "single role=guest"},
		{Client{}, "old", ""},
	} {
		r := s.Find(&c.client)
		if got := s.Class(&c.client); got != c.class || s.Text(r) != c.rule {
			t.Errorf("%+v: class %q, rule %q; want %q, %q", c.client, got, s.Text(r), c.class, c.rule)
		}
		if r != s.Find(&c.client) {
			t.Errorf("%+v: another rule the second time", c.client)
		}
	}
	if s.Empty() || !s.Mirrors() || new(Set).Mirrors() || !new(Set).Empty() {
		t.Error("Empty, Mirrors")
	}
	// A rule that says what holds without one is a rule of its own.
	s = parse(t, nil, []string{"single role=guest", "open"})
	if r := s.Find(&Client{Role: "user"}); s.Text(r) != "open" || r == s.Find(&Client{Role: "guest"}) {
		t.Errorf("%q", s.Text(r))
	}
}

func TestMistakes(t *testing.T) {
	long := strings.Repeat("x", maxText)
	for _, c := range []struct {
		classes, rules []string
		want           string
	}{
		{rules: []string{"singel"}, want: `Rules, entry 1 ("singel"): no policy "singel", there are open, single, single-refuse, mirror, per-device`},
		{rules: []string{""}, want: "is empty"},
		{rules: []string{"open max=0"}, want: `max is "0", must be a number from 1 to 255`},
		{rules: []string{"open max=256"}, want: "from 1 to 255"},
		{rules: []string{"open max"}, want: `max is ""`},
		{rules: []string{"open max=2 max=3"}, want: "max stands there twice"},
		{rules: []string{"single max=2"}, want: "single is one session"},
		{rules: []string{"open role=Guest"}, want: `role is "Guest"`},
		{rules: []string{"open role=a role=b"}, want: "role stands there twice"},
		{rules: []string{"open who=me"}, want: `"who=me" is none of`},
		{rules: []string{"open class=phone"}, want: "no class phone; classes are none"},
		{classes: []string{"tv id=known"}, rules: []string{"open class=phone"}, want: "classes are tv"},
		{rules: []string{"single role=guest", "open", "mirror role=user"}, want: `entry 3 ("mirror role=user"): never comes into play: entry 2, "open", is for all that it is for`},
		{rules: []string{"single", "single"}, want: "never comes into play"},
		{classes: []string{"phone"}, want: "says nothing of its devices"},
		{classes: []string{"Phone id=known"}, want: "a class begins with its name"},
		{classes: []string{"software=x"}, want: "a class begins with its name"},
		{classes: []string{"phone id=maybe"}, want: `id is "maybe"`},
		{classes: []string{"phone software="}, want: "software is empty"},
		{classes: []string{`phone software=""`}, want: "software is empty"},
		{classes: []string{"phone tag=x"}, want: `"tag=x" is none of`},
		{classes: []string{"phone name=a name=b"}, want: "name stands there twice"},
		{classes: []string{"phone id=known", "phone id=unknown"}, want: "there is a class phone above"},
		{classes: []string{`phone software="x`}, want: `a " has no other`},
		{classes: []string{"phone name=a\x00"}, want: "nobody can see"},
		{classes: []string{"phone name=" + long}, want: "may have 400"},
		{rules: []string{"open role=a\xff"}, want: "nobody can see"},
	} {
		_, err := Parse(Options{Classes: c.classes, Rules: c.rules})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q, %q: %v; want %s", c.classes, c.rules, err, c.want)
		}
	}
	// All of them at once.
	_, err := Parse(Options{Classes: []string{"x"}, Rules: []string{"y", "mirror class=x", "z"}})
	if n := strings.Count(fmt.Sprint(err), "policy: "); n != 3 {
		t.Errorf("%d mistakes told, of 3: %v", n, err)
	}
	many := make([]string, maxEntries+1)
	for i := range many {
		many[i] = fmt.Sprintf("c%d id=known", i)
	}
	if _, err := Parse(Options{Classes: many}); err == nil {
		t.Errorf("%d classes are taken", len(many))
	}
}

func TestTexts(t *testing.T) {
	for _, k := range Kinds() {
		if r := parse(t, nil, []string{k.String() + " role=x"}).rules[0]; r.Kind != k {
			t.Errorf("%s is read as %s", k, r.Kind)
		}
	}
	if n := len(Kinds()); n != len(kindNames) || Kind(n).String() != "Kind(5)" {
		t.Errorf("%d kinds", n)
	}
	s := parse(t, []string{`  web   "software=My Browser" name=x`}, []string{" open role=a  max=3", "open"})
	if got := fmt.Sprint(s.Options()); got != `{[web software="My Browser" name=x] [open max=3 role=a open]}` {
		t.Error(got)
	}
	if o := new(Set).Options(); o.Classes == nil || o.Rules == nil {
		t.Error("an empty list is a list all the same")
	}
}

// FuzzParse: whatever is read can be written and read again, and means the same;
// the rule for a client is the first that each of its conditions allows.
func FuzzParse(f *testing.F) {
	f.Add("phone software=Conversations\nweb \"name=a b\" id=known", "single role=guest\nopen max=2 class=phone\nmirror", "guest", "conversations", "a b c", "web")
	f.Add("x resource=ſ", "per-device class=x\n\nopen", "", "", "", "S")
	f.Fuzz(func(t *testing.T, classes, rules, role, software, name, resource string) {
		lines := func(s string) []string {
			if s == "" {
				return nil
			}
			return strings.Split(s, "\n")
		}
		s, err := Parse(Options{Classes: lines(classes), Rules: lines(rules)})
		if err != nil {
			if s != nil || !strings.HasPrefix(err.Error(), "policy: ") {
				t.Errorf("%v, %v", s, err)
			}
			return
		}
		again, err := Parse(s.Options())
		if err != nil || !slices.Equal(s.classes, again.classes) || !slices.Equal(s.rules, again.rules) {
			t.Fatalf("%q is read as %+v, then as %+v (%v)", s.Options(), s, again, err)
		}
		for _, known := range []bool{true, false} {
			x := Client{Role: role, Software: software, Name: name, Resource: resource, Known: known}
			at := slices.IndexFunc(s.rules, func(r Rule) bool {
				if r.Role != "" && r.Role != role {
					return false
				}
				first := slices.IndexFunc(s.classes, func(c Class) bool { return c.has(&x) })
				return r.Class == "" || first >= 0 && s.classes[first].Called == r.Class
			})
			switch r := s.Find(&x); {
			case at < 0 && r != &s.otherwise, at >= 0 && r != &s.rules[at]:
				t.Errorf("%+v has %q, of %q", x, r, s.Options())
			}
		}
	})
}
