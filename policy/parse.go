package policy

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Options are the texts of a [Set]. A text has no comma where it stands in an
// environment variable.
type Options struct {
	// Classes are classes of devices, in the order in which they are tried: each a
	// name, and what the client says begins with: "phone software=Conversations",
	// "web resource=web name=\"My Browser\"", "old id=unknown". Default none.
	Classes []string
	// Rules say which sessions an account may have at the same time, in the order in
	// which they are tried: each a policy, "open", "single", "single-refuse", "mirror" or
	// "per-device", and whom it is for: "single role=guest", "open max=2 class=phone".
	// The server's other limits hold besides. Default none.
	Rules []string
}

// Bounds of a set.
const (
	maxEntries = 64  // classes, and rules
	maxText    = 400 // bytes of one of them
	maxName    = 64  // bytes of the name of a class or a role
	maxMax     = 255 // sessions
)

// Validate reports everything that is wrong with the texts, on one line.
func (o *Options) Validate() error {
	if _, err := Parse(*o); err != nil {
		return errors.New(strings.ReplaceAll(err.Error(), "\npolicy: ", "; "))
	}
	return nil
}

// Parse makes a set of its texts. The error has a line for each mistake.
func Parse(o Options) (*Set, error) {
	s := new(Set)
	var wrong []error
	for i, text := range o.Classes {
		c, err := parseClass(text)
		if err == nil && s.knows(c.Called) {
			err = fmt.Errorf("there is a class %s above", c.Called)
		}
		if err != nil {
			wrong = append(wrong, mistake("Classes", i, text, err))
		}
		s.classes = append(s.classes, c) // also one that is wrong: no rule is blamed for naming it
	}
	var entries []int // of the rules that could be read
	for i, text := range o.Rules {
		r, err := parseRule(text)
		if err == nil && r.Class != "" && !s.knows(r.Class) {
			err = fmt.Errorf("there is no class %s; classes are %s", r.Class, s.called())
		}
		if err == nil {
			err = s.unreachable(r, entries)
		}
		if err != nil {
			wrong = append(wrong, mistake("Rules", i, text, err))
			continue
		}
		s.rules, entries = append(s.rules, r), append(entries, i+1)
	}
	for _, x := range []struct {
		list string
		n    int
	}{{"Classes", len(o.Classes)}, {"Rules", len(o.Rules)}} {
		if x.n > maxEntries {
			wrong = append(wrong, fmt.Errorf("policy: %s has %d entries, may have %d", x.list, x.n, maxEntries))
		}
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	return s, nil
}

func mistake(list string, i int, text string, err error) error {
	if len(text) > 80 {
		text = text[:80] + "…"
	}
	return fmt.Errorf("policy: %s, entry %d (%q): %w", list, i+1, text, err)
}

func (s *Set) knows(class string) bool {
	return slices.ContainsFunc(s.classes, func(c Class) bool { return c.Called == class })
}

// called lists the names of the classes.
func (s *Set) called() string {
	if len(s.classes) == 0 {
		return "none"
	}
	var names []string
	for i := range s.classes {
		names = append(names, s.classes[i].Called)
	}
	return strings.Join(names, ", ")
}

// unreachable says which rule above takes everything that a rule is for.
func (s *Set) unreachable(r Rule, entries []int) error {
	for i := range s.rules {
		above := &s.rules[i]
		if (above.Role == "" || above.Role == r.Role) && (above.Class == "" || above.Class == r.Class) {
			return fmt.Errorf("never comes into play: entry %d, %q, is for all that it is for", entries[i], above.String())
		}
	}
	return nil
}

func parseRule(text string) (r Rule, err error) {
	words, err := split(text)
	if err != nil {
		return Rule{}, err
	}
	at := slices.Index(kindNames[:], words[0])
	if at < 0 {
		return Rule{}, fmt.Errorf("no policy %q, there are %s", words[0], strings.Join(kindNames[:], ", "))
	}
	r.Kind = Kind(at)
	for _, w := range words[1:] {
		key, value, _ := strings.Cut(w, "=")
		switch key {
		case "max":
			r.Max, err = parseMax(r, value)
		case "role":
			err = setName(&r.Role, key, value)
		case "class":
			err = setName(&r.Class, key, value)
		default:
			err = fmt.Errorf("%q is none of max=NUMBER, role=ROLE, class=CLASS", w)
		}
		if err != nil {
			return Rule{}, err
		}
	}
	return r, nil
}

func parseMax(r Rule, value string) (int, error) {
	switch n, err := strconv.Atoi(value); {
	case r.Max > 0:
		return 0, errors.New("max stands there twice")
	case r.Kind == Single || r.Kind == SingleRefuse:
		return 0, fmt.Errorf("%s is one session, there can't be a max", r.Kind)
	case err != nil || n < 1 || n > maxMax:
		return 0, fmt.Errorf("max is %q, must be a number from 1 to %d", value, maxMax)
	default:
		return n, nil
	}
}

// setName reads the name of a role or a class: letters a to z, digits, hyphens.
func setName(dst *string, key, value string) error {
	switch {
	case *dst != "":
		return fmt.Errorf("%s stands there twice", key)
	case !isName(value):
		return fmt.Errorf("%s is %q, must be letters a to z, digits and hyphens", key, value)
	}
	*dst = value
	return nil
}

func isName(s string) bool {
	return s != "" && len(s) <= maxName && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

func parseClass(text string) (c Class, err error) {
	words, err := split(text)
	if err != nil {
		return Class{}, err
	}
	if !isName(words[0]) {
		return Class{}, fmt.Errorf("a class begins with its name: letters a to z, digits and hyphens, not %q", words[0])
	}
	c.Called = words[0]
	for _, w := range words[1:] {
		key, value, _ := strings.Cut(w, "=")
		field := map[string]*string{"software": &c.Software, "name": &c.Name, "resource": &c.Resource, "id": &c.Known}[key]
		switch {
		case field == nil:
			return c, fmt.Errorf("%q is none of software=BEGINNING, name=BEGINNING, resource=BEGINNING, id=known, id=unknown", w)
		case *field != "":
			return c, fmt.Errorf("%s stands there twice", key)
		case value == "":
			return c, fmt.Errorf("%s is empty", key)
		case key == "id" && value != IDKnown && value != IDUnknown:
			return c, fmt.Errorf("id is %q, must be %s or %s", value, IDKnown, IDUnknown)
		}
		*field = value
	}
	if c == (Class{Called: c.Called}) {
		return c, errors.New("says nothing of its devices: software, name, resource or id")
	}
	return c, nil
}

// split splits a text at white space that is not in quotes, and takes the quotes
// away. It has one word at least.
func split(text string) (words []string, err error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("has %d bytes, may have %d", len(text), maxText)
	}
	if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return nil, errors.New("has characters that nobody can see")
	}
	var word strings.Builder
	inQuotes, begun := false, false
	for _, c := range text {
		switch {
		case c == '"':
			inQuotes, begun = !inQuotes, true
		case unicode.IsSpace(c) && !inQuotes:
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteRune(c)
			begun = true
		}
	}
	if inQuotes {
		return nil, errors.New(`a " has no other`)
	}
	if begun {
		words = append(words, word.String())
	}
	if len(words) == 0 {
		return nil, errors.New("is empty")
	}
	return words, nil
}

// quoted is a value as split reads it. None has a quote in it.
func quoted(value string) string {
	if strings.ContainsFunc(value, unicode.IsSpace) {
		return `"` + value + `"`
	}
	return value
}
