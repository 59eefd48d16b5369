package policy

import (
	"fmt"
	"strconv"
	"strings"
)

// Kind is what a rule does with several sessions of one account.
type Kind uint8

// The kinds.
const (
	Open         Kind = iota // as many as there may be
	Single                   // one, the newest
	SingleRefuse             // one, the oldest
	Mirror                   // as many as there may be, and all of them see the same
	PerDevice                // one for each device, the newest
)

var kindNames = [...]string{Open: "open", Single: "single", SingleRefuse: "single-refuse", Mirror: "mirror", PerDevice: "per-device"}

// String returns the name that stands in rules.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Kinds lists all of them.
func Kinds() []Kind { return []Kind{Open, Single, SingleRefuse, Mirror, PerDevice} }

// Rule is what holds for the sessions that it is for. It neither counts nor ends
// sessions that another rule is for.
type Rule struct {
	Kind  Kind
	Max   int    // sessions that it is for, of one account; 0: no bound of its own
	Role  string // of the account; "" for any
	Class string // of the device; "" for any
}

// String returns the rule as it is written.
func (r *Rule) String() string {
	text := r.Kind.String()
	if r.Max > 0 {
		text += " max=" + strconv.Itoa(r.Max)
	}
	if r.Role != "" {
		text += " role=" + r.Role
	}
	if r.Class != "" {
		text += " class=" + r.Class
	}
	return text
}

// Class is a class of devices: those that everything fits that is set.
type Class struct {
	Called   string // its name in rules
	Software string // what the client calls itself begins so
	Name     string // what the client calls the device begins so
	Resource string // the resource, and with it the tag of a client, begins so
	Known    string // "" for any, IDKnown or IDUnknown
}

// Whether a client has said by an id which installation it is.
const (
	IDKnown   = "known"
	IDUnknown = "unknown"
)

// String returns the class as it is written.
func (c *Class) String() string {
	text := c.Called
	for _, x := range []struct{ key, value string }{{"software", c.Software}, {"name", c.Name}, {"resource", c.Resource}, {"id", c.Known}} {
		if x.value != "" {
			text += " " + x.key + "=" + quoted(x.value)
		}
	}
	return text
}

// Client is what is known of a client whose session is to be bound, or was.
type Client struct {
	Role     string // of its account
	Software string // what it calls itself
	Name     string // what it calls its device
	Resource string
	Known    bool // it has said by an id which installation it is (XEP-0388 §2.3)
}

// has reports whether a client is of a class.
func (c *Class) has(x *Client) bool {
	return begins(x.Software, c.Software) && begins(x.Name, c.Name) && begins(x.Resource, c.Resource) &&
		(c.Known == "" || (c.Known == IDKnown) == x.Known)
}

// begins reports whether a text begins with another, in letters of any case.
func begins(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// Set is a list of classes and one of rules, each in its order. The zero Set has no
// rules.
type Set struct {
	classes   []Class
	rules     []Rule
	otherwise Rule
}

// Class returns the class of a client: the first that it is of, "" for none.
func (s *Set) Class(x *Client) string {
	for i := range s.classes {
		if s.classes[i].has(x) {
			return s.classes[i].Called
		}
	}
	return ""
}

// Find returns the rule for a client: the first that is for its role and its class.
// Where none is, that is a rule as well, the same each time: the zero Rule, open
// without a bound.
func (s *Set) Find(x *Client) *Rule {
	if len(s.rules) == 0 {
		return &s.otherwise
	}
	class := s.Class(x)
	for i := range s.rules {
		r := &s.rules[i]
		if (r.Role == "" || r.Role == x.Role) && (r.Class == "" || r.Class == class) {
			return r
		}
	}
	return &s.otherwise
}

// Text returns a rule that Find found as it is written, "" for that of clients that
// no rule is for.
func (s *Set) Text(r *Rule) string {
	if r == &s.otherwise {
		return ""
	}
	return r.String()
}

// Empty reports whether there are no rules: Find needn't be asked then.
func (s *Set) Empty() bool { return len(s.rules) == 0 }

// Mirrors reports whether a rule is of the kind Mirror.
func (s *Set) Mirrors() bool {
	for i := range s.rules {
		if s.rules[i].Kind == Mirror {
			return true
		}
	}
	return false
}

// Options returns the texts of the set.
func (s *Set) Options() Options {
	o := Options{Classes: []string{}, Rules: []string{}}
	for i := range s.classes {
		o.Classes = append(o.Classes, s.classes[i].String())
	}
	for i := range s.rules {
		o.Rules = append(o.Rules, s.rules[i].String())
	}
	return o
}
