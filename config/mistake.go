package config

import (
	"fmt"
	"slices"
	"strings"
)

// Mistake is one thing that is wrong in a configuration.
type Mistake struct {
	File   string // "" where the value comes from elsewhere
	Line   int    // from 1; 0 if the mistake has no place
	Column int    // in characters, from 1
	From   string // where else the value comes from: "the environment variable …", "the flag …", or ""
	Key    string // "section.key", or what was written instead
	Text   string // what is wrong
	Hint   string // what to do; may be ""
}

// Where is the mistake's place: file:line:column, or what it comes from.
func (m *Mistake) Where() string {
	switch {
	case m.Line > 0:
		return fmt.Sprintf("%s:%d:%d", m.File, m.Line, m.Column)
	case m.File != "":
		return m.File
	case m.From != "":
		return m.From
	}
	return "the configuration"
}

// String is the mistake on one line, and its hint.
func (m *Mistake) String() string {
	s := m.Where() + ": " + m.Text
	if m.Hint != "" {
		s += "; " + m.Hint
	}
	return s
}

// Mistakes is the error of a configuration: everything that is wrong with it.
type Mistakes []Mistake

// Error has one line for each mistake.
func (m Mistakes) Error() string {
	var lines []string
	for i := range m {
		lines = append(lines, m[i].String())
	}
	return strings.Join(lines, "\n")
}

// nearest returns the candidate that is most like name, "" if none is alike.
func nearest(name string, candidates []string) string {
	best, least := "", len(name)/3+2
	for _, c := range candidates {
		if d := distance(strings.ToLower(name), strings.ToLower(c)); d < least {
			best, least = c, d
		}
	}
	return best
}

// distance is how many letters have to be put in, taken out, changed or swapped
// with their neighbour to make one word of the other.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	if len(x) > 64 || len(y) > 64 {
		return 64 // no key is that long
	}
	before, above := make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range above {
		above[j] = j
	}
	for i := range x {
		row := make([]int, len(y)+1)
		row[0] = i + 1
		for j := range y {
			change := above[j]
			if x[i] != y[j] {
				change++
			}
			row[j+1] = min(change, above[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && x[i] == y[j-1] && x[i-1] == y[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, above = above, row
	}
	return above[len(y)]
}

// unknown says that a key isn't one, and which it may have been meant to be.
func unknown(section, name string, all []setting) (text, hint string) {
	var here, sections, elsewhere, names []string
	for i := range all {
		s := &all[i]
		names = append(names, s.name)
		switch {
		case s.section == section:
			here = append(here, s.name)
		case s.name == name:
			elsewhere = append(elsewhere, s.key())
		}
		if s.section != "" && !slices.Contains(sections, s.section) {
			sections = append(sections, s.section)
		}
	}
	if section == "" {
		here = append(here, sections...)
	}
	text = fmt.Sprintf("unknown key %s", name)
	if section != "" {
		text += " in [" + section + "]"
	}
	switch n := nearest(name, here); {
	case len(elsewhere) > 0:
		section, _, ok := strings.Cut(elsewhere[0], ".")
		hint = "it belongs into [" + section + "]"
		if !ok {
			hint = "it belongs before the first [section]"
		}
	case n != "":
		hint = "did you mean " + n + "?"
	case nearest(name, names) != "":
		other := all[slices.Index(names, nearest(name, names))]
		hint = "did you mean " + other.name + " in [" + other.section + "]?"
		if other.section == "" {
			hint = "did you mean " + other.name + ", before the first [section]?"
		}
	default:
		hint = "known here: " + strings.Join(here, ", ")
	}
	return text, hint
}
