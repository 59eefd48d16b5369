package config

import (
	"fmt"
	"io"
	"reflect"
	"strings"
)

const fileHead = `# Configuration of weir. Every setting stands here with its default, commented out:
# take the # away from those you change. Times are like "30s", "5m", "24h" or "365d",
# sizes are numbers of bytes or texts like "256 KiB". Each setting is also an environment
# variable: WEIR_DATA, WEIR_LISTEN_C2S (section and key), lists with commas.
# Flags win over the environment, the environment over this file.
# "weir check --config FILE" says what is wrong with a file.
`

// WriteDefault writes the annotated default file. It parses to the defaults, as
// it is and with every setting's # taken away.
func WriteDefault(w io.Writer) error {
	var b strings.Builder
	b.WriteString(fileHead)
	def := Default()
	section := ""
	all := settings()
	for i := range all {
		s := &all[i]
		if s.section != section {
			section = s.section
			fmt.Fprintf(&b, "\n\n%s[%s]\n", comment(capital(tidy(docs[section], sectionField(section), section))), section)
		}
		b.WriteString("\n" + comment(s.explained(all)))
		if s.typ == certificatesType {
			b.WriteString(certificateExample())
			continue
		}
		fmt.Fprintf(&b, "#%s = %s\n", s.name, s.toTOML(s.of(&def)))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// explained is the setting's comment with the names of the file.
func (s *setting) explained(all []setting) string {
	text := s.doc
	for i := range all {
		if all[i].section == s.section {
			text = tidy(text, all[i].goName, all[i].name)
		}
	}
	if names := choices[s.key()]; names != nil && !strings.Contains(text, names[len(names)-1]) {
		text += " One of " + quoted(names) + "."
	}
	return capital(text)
}

// tidy puts the name of a key in place of a field's, and takes away what is
// there for Go's documentation only.
func tidy(text, field, name string) string {
	text = strings.NewReplacer("[", "", "]", "", " in DefaultOptions", "").Replace(text)
	return word.ReplaceAllStringFunc(text, func(w string) string {
		if w == field {
			return name
		}
		return w
	})
}

// capital begins and ends a comment as a sentence, unless it begins with a key.
func capital(text string) string {
	if text == "" {
		return ""
	}
	first, _, _ := strings.Cut(text, " ")
	if !strings.Contains(first, "_") && len(text) > 1 && text[0] >= 'a' && text[0] <= 'z' && !isKey(first) {
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	return text
}

func isKey(word string) bool {
	for _, s := range settings() {
		if s.name == word || s.section == word {
			return true
		}
	}
	for _, s := range certificateSettings() {
		if s.name == word {
			return true
		}
	}
	return false
}

func sectionField(section string) string {
	t := reflect.TypeFor[Config]()
	for i := range t.NumField() {
		if nameOf(t.Field(i)) == section {
			return t.Field(i).Name
		}
	}
	return ""
}

// certificateExample shows the tables of tls.certificates. Its lines aren't
// settings with a # before them, so they have a blank behind it.
func certificateExample() string {
	var b strings.Builder
	fields := certificateSettings()
	b.WriteString("#\n#   [[tls.certificates]]\n")
	examples := map[string]string{
		"cert": `"/etc/weir/example.org.pem"`, "key": `"/etc/weir/example.org.key"`, "domains": `["example.org"]`,
	}
	for i := range fields {
		s := &fields[i]
		fmt.Fprintf(&b, "#   %s = %s\n", s.name, examples[s.name])
		text := s.doc
		for k := range fields {
			text = tidy(text, fields[k].goName, fields[k].name)
		}
		for line := range strings.Lines(wrap(capital(text), 88)) {
			b.WriteString("#     # " + line)
		}
	}
	return b.String()
}

// comment wraps a text and puts a # before each line.
func comment(text string) string {
	var b strings.Builder
	for line := range strings.Lines(wrap(text, 92)) {
		b.WriteString("# " + line)
	}
	return b.String()
}

// wrap breaks a text into lines of at most width bytes where it can.
func wrap(text string, width int) string {
	var b strings.Builder
	length := 0
	for _, w := range strings.Fields(text) {
		switch {
		case length == 0:
		case length+1+len(w) > width:
			b.WriteByte('\n')
			length = 0
		default:
			b.WriteByte(' ')
			length++
		}
		b.WriteString(w)
		length += len(w)
	}
	if length > 0 {
		b.WriteByte('\n')
	}
	return b.String()
}

// Variable is a setting as the environment names it.
type Variable struct {
	Name    string // WEIR_LISTEN_C2S
	Key     string // listen.c2s
	Default string
}

// Variables lists the settings as environment variables, in the file's order.
func Variables() []Variable {
	def := Default()
	var out []Variable
	for _, s := range settings() {
		v := Variable{Name: s.env(), Key: s.key()}
		if s.typ != certificatesType {
			v.Default = s.text(s.of(&def))
		}
		out = append(out, v)
	}
	return out
}
