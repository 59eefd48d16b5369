package config

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"weir/netserver"
)

// setting is one thing that can be set.
type setting struct {
	section string // "" at the top level
	name    string // in the file
	field   []int  // of Config, as reflect.Value.FieldByIndex takes it
	goName  string // of the field
	typ     reflect.Type
	doc     string // the field's comment
}

// key is the setting's full name: section and name with a dot.
func (s *setting) key() string {
	if s.section == "" {
		return s.name
	}
	return s.section + "." + s.name
}

// env is the environment variable of the setting.
func (s *setting) env() string {
	return "WEIR_" + strings.ToUpper(strings.ReplaceAll(s.key(), ".", "_"))
}

// bytesMentioned is found in the comments of fields that count bytes.
var bytesMentioned = regexp.MustCompile(`\bbytes\b|\b[KMG]iB\b`)

// isSize reports whether the setting counts bytes, so that "256 KiB" is a value.
func (s *setting) isSize() bool {
	return (s.typ.Kind() == reflect.Int || s.typ.Kind() == reflect.Int64) && s.typ != durationType &&
		bytesMentioned.MatchString(s.doc)
}

var (
	durationType     = reflect.TypeFor[time.Duration]()
	stringsType      = reflect.TypeFor[[]string]()
	certificatesType = reflect.TypeFor[[]netserver.CertFiles]()
)

// filledIn are the fields that the program fills in by itself although they have
// the type of a setting.
var filledIn = []string{"storage.dir", "auth.key_file", "session.domains", "stream.domain", "webhook.server"}

// settings lists everything that can be set, in the order of the fields.
func settings() []setting {
	var all []setting
	t := reflect.TypeFor[Config]()
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Type.Kind() != reflect.Struct {
			all = append(all, newSetting("", f, []int{i}))
			continue
		}
		for k := range f.Type.NumField() {
			s := newSetting(nameOf(f), f.Type.Field(k), []int{i, k})
			if settable(s.typ) && !slices.Contains(filledIn, s.key()) {
				all = append(all, s)
			}
		}
	}
	return all
}

func newSetting(section string, f reflect.StructField, index []int) setting {
	s := setting{section: section, name: nameOf(f), field: index, goName: f.Name, typ: f.Type}
	s.doc = docs[s.key()]
	return s
}

// settable reports whether a value of the type can be written in a file.
func settable(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int64, reflect.Float64:
		return true
	}
	return t == stringsType || t == certificatesType
}

// nameOf is the name of a field in the file: its tag, or its name in snake_case.
func nameOf(f reflect.StructField) string {
	if tag := f.Tag.Get("toml"); tag != "" {
		return tag
	}
	return snake(f.Name)
}

// snake turns MaxPerAddr into max_per_addr, KDFQueue into kdf_queue.
func snake(name string) string {
	r := []rune(name)
	var b strings.Builder
	for i, c := range r {
		if i > 0 && unicode.IsUpper(c) {
			beforeLower := i+1 < len(r) && unicode.IsLower(r[i+1])
			if unicode.IsLower(r[i-1]) || beforeLower {
				b.WriteByte('_')
			}
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}

// of returns the setting's field in a configuration.
func (s *setting) of(c *Config) reflect.Value { return reflect.ValueOf(c).Elem().FieldByIndex(s.field) }

// clearFilledIn sets to zero what is no setting: defaults that packages put
// there are theirs to put again.
func clearFilledIn(c *Config) {
	known := map[[2]int]bool{}
	for _, s := range settings() {
		if len(s.field) == 2 {
			known[[2]int{s.field[0], s.field[1]}] = true
		}
	}
	v := reflect.ValueOf(c).Elem()
	for i := range v.NumField() {
		if v.Field(i).Kind() != reflect.Struct {
			continue
		}
		for k := range v.Field(i).NumField() {
			if !known[[2]int{i, k}] {
				v.Field(i).Field(k).SetZero()
			}
		}
	}
}

// KeyName is the name in the file of a field that has no tag, for the generator
// of the fields' comments.
func KeyName(field string) string { return snake(field) }

// Documented reports whether the comment of a field is printed: those of
// sections and settings are, by their key.
func Documented(key string) bool {
	for _, s := range append(settings(), certificateSettings()...) {
		if s.section == key || s.key() == key {
			return true
		}
	}
	return false
}

// Changed lists the settings in which two configurations differ, by their keys
// ("stream.stanza_bytes"), in the order of the file.
func Changed(a, b Config) []string {
	keys := []string{}
	for _, s := range settings() {
		if !reflect.DeepEqual(s.of(&a).Interface(), s.of(&b).Interface()) {
			keys = append(keys, s.key())
		}
	}
	return keys
}

// Take copies the settings of some keys from one configuration to another.
func Take(to *Config, from Config, keys []string) {
	for _, s := range settings() {
		if slices.Contains(keys, s.key()) {
			s.of(to).Set(s.of(&from))
		}
	}
}
