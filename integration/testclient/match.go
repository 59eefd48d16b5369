package testclient

import (
	"encoding/xml"
	"fmt"
	"regexp"
	"strings"
)

// Vars holds what patterns have captured, by name.
type Vars map[string]string

var (
	variable  = regexp.MustCompile(`\{([a-z][a-z0-9_]*)\}`)
	openAttrs = regexp.MustCompile(`\s\.\.\.\s*(/?>)`)
)

const moreAttrs = "test-more"

// Expand replaces each {name} by what was captured under that name. A name
// that wasn't captured is an error.
func (v Vars) Expand(s string) (string, error) {
	var missing error
	out := variable.ReplaceAllStringFunc(s, func(m string) string {
		val, ok := v[m[1:len(m)-1]]
		if !ok {
			missing = fmt.Errorf("testclient: nothing was captured as %s", m)
		}
		return escape(val)
	})
	return out, missing
}

// Pattern is an element to compare with. See [ParsePattern].
type Pattern struct {
	source string
	want   *Element
}

// String returns the pattern as it was written.
func (p *Pattern) String() string { return p.source }

// ParsePattern reads a pattern: an element in which
//
//   - "*" as the value of an attribute or as text stands for any value that
//     isn't empty;
//   - {name} as (part of) a value stands for what was captured under that name, or
//     captures what is there if nothing was;
//   - "..." at the end of a start tag lets more attributes follow, and as text
//     lets other children and any text be there.
//
// Prefixes and the order of attributes and of children don't matter; the
// attribute xml:lang matters only where the pattern has it.
func ParsePattern(s string) (*Pattern, error) {
	els, err := Parse(openAttrs.ReplaceAllString(s, " "+moreAttrs+"=''$1"))
	if err != nil {
		return nil, err
	}
	if len(els) != 1 {
		return nil, fmt.Errorf("testclient: a pattern is one element, not %d: %s", len(els), s)
	}
	return &Pattern{source: s, want: els[0]}, nil
}

// Match compares an element with the pattern. On success vars holds the
// captures as well; otherwise it is unchanged and the error says what differs first.
func (p *Pattern) Match(got *Element, vars Vars) error {
	m := matcher{vars: Vars{}}
	for k, v := range vars {
		m.vars[k] = v
	}
	if err := m.element(p.want, got, "/"+p.want.Name.Local); err != nil {
		return err
	}
	for k, v := range m.vars {
		vars[k] = v
	}
	return nil
}

// Match compares an element with a pattern that captures nothing it needs later.
func Match(pattern string, got *Element) error {
	p, err := ParsePattern(pattern)
	if err != nil {
		return err
	}
	return p.Match(got, Vars{})
}

type matcher struct{ vars Vars }

func (m *matcher) element(want, got *Element, path string) error {
	if want.Name != got.Name {
		return fmt.Errorf("%s: the element is {%s}%s, not {%s}%s", path,
			got.Name.Space, got.Name.Local, want.Name.Space, want.Name.Local)
	}
	if err := m.attrs(want, got, path); err != nil {
		return err
	}
	text := strings.TrimSpace(want.Text)
	open := strings.Contains(text, "...")
	text = strings.TrimSpace(strings.Replace(text, "...", "", 1))
	if text != "" || !open {
		if err := m.value(text, strings.TrimSpace(got.Text), path+" text"); err != nil {
			return err
		}
	}
	return m.children(want, got, open, path)
}

func (m *matcher) attrs(want, got *Element, path string) error {
	open := false
	listed := map[xml.Name]bool{}
	for _, w := range want.Attr {
		if w.Name.Local == moreAttrs {
			open = true
			continue
		}
		listed[w.Name] = true
		found := false
		for _, g := range got.Attr {
			if g.Name != w.Name {
				continue
			}
			found = true
			if err := m.value(w.Value, g.Value, path+"@"+w.Name.Local); err != nil {
				return err
			}
		}
		if !found {
			return fmt.Errorf("%s: attribute %s is missing", path, w.Name.Local)
		}
	}
	for _, g := range got.Attr {
		lang := g.Name.Space == nsXML && g.Name.Local == "lang"
		if !open && !listed[g.Name] && !lang {
			return fmt.Errorf("%s: attribute %s='%s' is unexpected", path, g.Name.Local, g.Value)
		}
	}
	return nil
}

// children finds for each wanted child one of its own, in any order.
func (m *matcher) children(want, got *Element, open bool, path string) error {
	used := make([]bool, len(got.Children))
	for _, w := range want.Children {
		var first error
		found := false
		for i, g := range got.Children {
			if used[i] || g.Name.Local != w.Name.Local {
				continue
			}
			before := Vars{}
			for k, v := range m.vars {
				before[k] = v
			}
			err := m.element(w, g, path+"/"+w.Name.Local)
			if err == nil {
				used[i], found = true, true
				break
			}
			m.vars = before
			if first == nil {
				first = err
			}
		}
		if !found && first == nil {
			first = fmt.Errorf("%s: child <%s xmlns='%s'> is missing", path, w.Name.Local, w.Name.Space)
		}
		if !found {
			return first
		}
	}
	for i, g := range got.Children {
		if !used[i] && !open {
			return fmt.Errorf("%s: child %s is unexpected", path, g)
		}
	}
	return nil
}

// value compares one value; what stands outside of {name} is compared as it is.
func (m *matcher) value(want, got, path string) error {
	if want == "*" {
		if got == "" {
			return fmt.Errorf("%s is empty", path)
		}
		return nil
	}
	re := "(?s)^"
	var names []string
	at := 0
	for _, loc := range variable.FindAllStringSubmatchIndex(want, -1) {
		re += regexp.QuoteMeta(want[at:loc[0]])
		at = loc[1]
		name := want[loc[2]:loc[3]]
		if val, ok := m.vars[name]; ok {
			re += regexp.QuoteMeta(val)
			continue
		}
		re += "(.+)"
		names = append(names, name)
	}
	re += regexp.QuoteMeta(want[at:]) + "$"
	sub := regexp.MustCompile(re).FindStringSubmatch(got)
	if sub == nil {
		return fmt.Errorf("%s is %q, not %q", path, got, want)
	}
	for i, name := range names {
		m.vars[name] = sub[i+1]
	}
	return nil
}
