package script

import (
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/txtar"
)

// Script is a parsed script.
type Script struct {
	Proves string // the file's comment
	Config string // of the server, "" for the defaults
	Steps  []Step
}

// Kind tells what a step does.
type Kind uint8

// The kinds of step.
const (
	Send    Kind = iota // actor> XML
	Next                // actor< PATTERN
	Any                 // actor<~ PATTERN
	Command             // actor: VERB …
)

// Step is one step of a script.
type Step struct {
	Line  int // in the file
	Actor string
	Kind  Kind
	Arg   string
}

// String returns the step as a line.
func (s Step) String() string {
	return s.Actor + [...]string{"> ", "< ", "<~ ", ": "}[s.Kind] + s.Arg
}

var stepLine = regexp.MustCompile(`^([a-z][a-z0-9]*)(<~|[<>:])\s*(.*)$`)

// Load reads a script from a file.
func Load(file string) (*Script, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	s, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s:%w", file, err)
	}
	return s, nil
}

// Parse reads a script. An error begins with the line it is about.
func Parse(b []byte) (*Script, error) {
	a := txtar.Parse(b)
	s := &Script{Proves: strings.TrimSpace(string(a.Comment))}
	if s.Proves == "" {
		return nil, fmt.Errorf("1: the comment that says what the script proves is missing")
	}
	line := strings.Count(string(a.Comment), "\n") + 1
	for _, f := range a.Files {
		switch f.Name {
		case "config":
			s.Config += string(f.Data)
		case "script":
			if err := s.parseSteps(line+1, string(f.Data)); err != nil {
				return nil, err
			}
		default:
			return nil, fmt.Errorf("%d: section %q is unknown", line, f.Name)
		}
		line += strings.Count(string(f.Data), "\n") + 1
	}
	if len(s.Steps) == 0 {
		return nil, fmt.Errorf("%d: there is no step", line)
	}
	return s, nil
}

func (s *Script) parseSteps(line int, text string) error {
	for i, l := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(l)
		switch {
		case trimmed == "" || strings.HasPrefix(trimmed, "#"):
			continue
		case trimmed[0] != l[0]:
			if len(s.Steps) == 0 {
				return fmt.Errorf("%d: nothing to continue", line+i)
			}
			last := &s.Steps[len(s.Steps)-1]
			if !strings.HasSuffix(last.Arg, ">") {
				last.Arg += " " // inside a tag or a text
			}
			last.Arg += trimmed
			continue
		}
		m := stepLine.FindStringSubmatch(l)
		if m == nil {
			return fmt.Errorf("%d: not a step: %s", line+i, l)
		}
		kind := map[string]Kind{">": Send, "<": Next, "<~": Any, ":": Command}[m[2]]
		s.Steps = append(s.Steps, Step{Line: line + i, Actor: m[1], Kind: kind, Arg: m[3]})
	}
	return nil
}
