package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"weir/netserver"

	"github.com/BurntSushi/toml"
)

// Source says where settings come from. Flags win over the environment, the
// environment wins over the file, the file over the defaults.
type Source struct {
	File    string   // of TOML; "" for none
	Environ []string // as of os.Environ: WEIR_… variables are settings
	Flags   []Flag
}

// Flag is a setting of the command line.
type Flag struct {
	Name  string // as it was written, "--c2s"
	Key   string // "listen.c2s"
	Value string // lists have commas
}

// FileVariable is the environment variable that names the file where no flag
// does.
const FileVariable = "WEIR_CONFIG"

// notSettings are variables that begin like ours and aren't settings.
var notSettings = []string{FileVariable, "WEIR_BINARY"}

// injected matches the variables that container platforms make for a service
// that is called weir.
var injected = regexp.MustCompile(`^WEIR_(SERVICE_|PORT$|PORT_\d)`)

// Load puts a configuration together. The error is Mistakes, all of them at
// once, or says why the file can't be read.
func Load(src Source) (Config, error) {
	l := &loader{cfg: Default(), all: settings(), origin: map[string]Mistake{}}
	if src.File != "" {
		text, err := os.ReadFile(src.File)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return l.cfg, fmt.Errorf("there is no configuration file %s: `weir config > %s` makes one", src.File, src.File)
		case err != nil:
			return l.cfg, fmt.Errorf("the configuration file can't be read: %w", err)
		}
		l.file(src.File, string(text))
	}
	l.environment(src.Environ)
	for _, f := range src.Flags {
		l.text(f.Key, f.Value, Mistake{From: "the flag " + f.Name})
	}
	return l.result()
}

// Parse is Load for the text of a file alone; name is for its mistakes.
func Parse(name, text string) (Config, error) {
	l := &loader{cfg: Default(), all: settings(), origin: map[string]Mistake{}}
	l.file(name, text)
	return l.result()
}

// loader is a configuration under way.
type loader struct {
	cfg      Config
	all      []setting
	origin   map[string]Mistake // key to the place of its value, where it isn't the default
	bad      []string           // keys whose value could not be stored
	places   map[string]entry   // of the file
	mistakes Mistakes
}

func (l *loader) setting(key string) *setting {
	for i := range l.all {
		if l.all[i].key() == key {
			return &l.all[i]
		}
	}
	return nil
}

// complain adds a mistake at a place.
func (l *loader) complain(at Mistake, key, text, hint string) {
	at.Key, at.Text, at.Hint = key, text, hint
	l.mistakes = append(l.mistakes, at)
}

// file reads the text of a file.
func (l *loader) file(name, text string) {
	var tree map[string]any
	if _, err := toml.Decode(text, &tree); err != nil {
		at, why := Mistake{File: name}, err.Error()
		var pe toml.ParseError
		if errors.As(err, &pe) {
			// Not its line: behind a missing bracket that is the next one.
			p := (&locator{text: text}).place(pe.Position.Start)
			at.Line, at.Column, why = p.line, p.column, pe.Message
		}
		l.complain(at, pe.LastKey, "not TOML: "+why, "texts stand in quotes, lists in [brackets]; `weir config` shows every setting")
		return
	}
	l.places = locate(text)
	for _, key := range sorted(tree) {
		if l.isSection(key) {
			l.section(name, key, tree[key])
		} else {
			l.value(name, "", key, tree[key])
		}
	}
}

// result is what was loaded, with the mistakes in the order of the file and
// those from elsewhere behind them.
func (l *loader) result() (Config, error) {
	l.validate()
	if len(l.mistakes) == 0 {
		return l.cfg, nil
	}
	slices.SortStableFunc(l.mistakes, func(a, b Mistake) int {
		switch {
		case a.File != b.File:
			return strings.Compare(b.File, a.File)
		case a.Line != b.Line:
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return l.cfg, l.mistakes
}

func sorted(m map[string]any) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (l *loader) isSection(name string) bool {
	return slices.ContainsFunc(l.all, func(s setting) bool { return s.section == name })
}

// at is the place of a key or, with value, of its value.
func (l *loader) at(file string, value bool, path ...string) Mistake {
	e := l.places[join(path)]
	p := e.key
	if value {
		p = e.value
	}
	return Mistake{File: file, Line: p.line, Column: p.column}
}

func (l *loader) section(file, name string, v any) {
	table, ok := v.(map[string]any)
	if !ok {
		l.complain(l.at(file, true, name), name, fmt.Sprintf("%s is %s", name, typeName(v)),
			"it is a section: a line ["+name+"] and its keys below")
		return
	}
	for _, key := range sorted(table) {
		l.value(file, name, key, table[key])
	}
}

func (l *loader) value(file, section, name string, v any) {
	path := []string{name}
	full := name
	if section != "" {
		path, full = []string{section, name}, section+"."+name
	}
	s := l.setting(full)
	if s == nil {
		text, hint := unknown(section, name, l.all)
		l.complain(l.at(file, false, path...), full, text, hint)
		return
	}
	at := l.at(file, true, path...)
	if s.typ == certificatesType {
		l.certificates(file, at, v)
		return
	}
	l.store(s, at, s.fromTOML(s.of(&l.cfg), v))
}

// store notes where a value came from, or what was wrong with it.
func (l *loader) store(s *setting, at Mistake, err error) {
	l.origin[s.key()] = at
	l.bad = slices.DeleteFunc(l.bad, func(k string) bool { return k == s.key() })
	if err == nil {
		return
	}
	l.bad = append(l.bad, s.key())
	hint := ""
	var ve *valueError
	if errors.As(err, &ve) {
		hint = ve.hint
	}
	l.complain(at, s.key(), err.Error(), hint)
}

// text stores a value of the environment or of a flag.
func (l *loader) text(key, value string, at Mistake) {
	s := l.setting(key)
	if s == nil {
		l.complain(at, key, "unknown setting "+key, "")
		return
	}
	l.store(s, at, s.fromText(s.of(&l.cfg), value))
}

// environment reads WEIR_… variables.
func (l *loader) environment(environ []string) {
	environ = slices.Clone(environ)
	slices.Sort(environ)
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, "WEIR_") || slices.Contains(notSettings, name) || injected.MatchString(name) {
			continue
		}
		at := Mistake{From: "the environment variable " + name}
		i := slices.IndexFunc(l.all, func(s setting) bool { return s.env() == name })
		if i < 0 {
			l.complain(at, name, "there is no such setting", l.envHint(name))
			continue
		}
		l.text(l.all[i].key(), value, at)
	}
}

func (l *loader) envHint(name string) string {
	all := slices.Clone(notSettings[:1])
	for i := range l.all {
		all = append(all, l.all[i].env())
	}
	if n := nearest(name, all); n != "" {
		return "did you mean " + n + "?"
	}
	return "`weir help environment` tells the names; unset it if it isn't meant for weir"
}

// certificates reads the tables of tls.certificates.
func (l *loader) certificates(file string, at Mistake, v any) {
	s := l.setting("tls.certificates")
	var tables []map[string]any
	switch x := v.(type) {
	case []map[string]any:
		tables = x
	case []any:
		for _, e := range x {
			t, ok := e.(map[string]any)
			if !ok {
				l.store(s, at, s.fromTOML(reflect.Value{}, v))
				return
			}
			tables = append(tables, t)
		}
	default:
		l.store(s, at, s.fromTOML(reflect.Value{}, v))
		return
	}
	var out []netserver.CertFiles
	for i, t := range tables {
		out = append(out, l.certificate(file, i, t))
	}
	l.cfg.TLS.Certificates = out
	l.store(s, at, nil)
}

func (l *loader) certificate(file string, i int, table map[string]any) netserver.CertFiles {
	var c netserver.CertFiles
	path := []string{"tls", "certificates", "#" + strconv.Itoa(i)}
	dst := reflect.ValueOf(&c).Elem()
	fields := certificateSettings()
	for _, key := range sorted(table) {
		k := slices.IndexFunc(fields, func(s setting) bool { return s.name == key })
		if k < 0 {
			text, hint := unknown("tls.certificates", key, fields)
			l.complain(l.at(file, false, append(path, key)...), "tls.certificates."+key, text, hint)
			continue
		}
		if err := fields[k].fromTOML(dst.FieldByIndex(fields[k].field), table[key]); err != nil {
			l.complain(l.at(file, true, append(path, key)...), "tls.certificates."+key, err.Error(), err.(*valueError).hint)
		}
	}
	if table["cert"] == nil {
		l.complain(l.at(file, false, path...), "tls.certificates.cert", "a certificate without cert", `it needs cert = "file"`)
	}
	return c
}

// certificateSettings are the keys of one of tls.certificates.
func certificateSettings() []setting {
	t := certificatesType.Elem()
	var all []setting
	for i := range t.NumField() {
		all = append(all, newSetting("tls.certificates", t.Field(i), []int{i}))
	}
	return all
}
