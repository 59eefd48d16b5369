package config

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/netserver"
)

// valueError says what is wrong with a value and what a right one looks like.
type valueError struct{ text, hint string }

func (e *valueError) Error() string { return e.text }

// example is a value of the right type, for hints.
func (s *setting) example() string {
	switch {
	case s.typ == durationType:
		return `a time like "30s", "5m" or "24h"`
	case s.typ == certificatesType:
		return `tables: [[tls.certificates]] with cert = "file" and key = "file"`
	case s.typ == stringsType:
		return `a list like ["example.org", "example.net"]`
	case s.isSize():
		return `a number of bytes like 65536 or "64 KiB"`
	}
	switch s.typ.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "a whole number like 100"
	case reflect.Float64:
		return "a number like 10 or 2.5"
	}
	if names := choices[s.key()]; names != nil {
		return "one of " + quoted(names)
	}
	return `a text in quotes like "` + s.text(reflect.ValueOf(Default()).FieldByIndex(s.field)) + `"`
}

// fromTOML stores a value that the TOML decoder made.
func (s *setting) fromTOML(dst reflect.Value, v any) error {
	switch x := v.(type) {
	case string:
		if s.typ.Kind() == reflect.String || s.typ == durationType || s.isSize() {
			return s.fromText(dst, x)
		}
	case bool:
		if s.typ.Kind() == reflect.Bool {
			dst.SetBool(x)
			return nil
		}
	case int64:
		switch {
		case s.typ == durationType:
		case s.typ.Kind() == reflect.Int || s.typ.Kind() == reflect.Int64:
			return setInt(dst, x)
		case s.typ.Kind() == reflect.Float64:
			dst.SetFloat(float64(x))
			return nil
		}
	case float64:
		if s.typ.Kind() == reflect.Float64 && !math.IsNaN(x) && !math.IsInf(x, 0) {
			dst.SetFloat(x)
			return nil
		}
	case []any:
		if s.typ == stringsType {
			return s.listFromTOML(dst, x)
		}
	}
	return &valueError{fmt.Sprintf("%s is %s", s.name, typeName(v)), "it has to be " + s.example()}
}

func (s *setting) listFromTOML(dst reflect.Value, list []any) error {
	var out []string
	for _, x := range list {
		text, ok := x.(string)
		if !ok {
			return &valueError{fmt.Sprintf("%s has %s in its list", s.name, typeName(x)), "it has to be " + s.example()}
		}
		out = append(out, text)
	}
	dst.Set(reflect.ValueOf(out))
	return nil
}

func setInt(dst reflect.Value, n int64) error {
	if dst.OverflowInt(n) {
		return &valueError{fmt.Sprintf("%d is too large", n), ""}
	}
	dst.SetInt(n)
	return nil
}

// typeName names the type of a TOML value as its author would.
func typeName(v any) string {
	switch x := v.(type) {
	case string:
		return "a text (" + strconv.Quote(shorten(x)) + ")"
	case bool:
		return "true or false"
	case int64, float64:
		return fmt.Sprintf("a number (%v)", x)
	case time.Time:
		return "a date"
	case []any:
		return "a list"
	}
	return "a table"
}

func shorten(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}

// fromText stores a value that stands in an environment variable or a flag.
func (s *setting) fromText(dst reflect.Value, text string) error {
	bad := func() error {
		return &valueError{fmt.Sprintf("%s is %q", s.name, shorten(text)), "it has to be " + s.example()}
	}
	switch {
	case s.typ == durationType:
		d, err := parseDuration(text)
		if err != nil {
			return bad()
		}
		dst.SetInt(int64(d))
	case s.typ == stringsType:
		dst.Set(reflect.ValueOf(splitList(text)))
	case s.typ == certificatesType:
		dst.Set(reflect.ValueOf(splitCertificates(text)))
	case s.typ.Kind() == reflect.String:
		dst.SetString(text)
	case s.typ.Kind() == reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return bad()
		}
		dst.SetBool(b)
	case s.typ.Kind() == reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return bad()
		}
		dst.SetFloat(f)
	default:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil && s.isSize() {
			n, err = parseSize(text)
		}
		if err != nil || dst.OverflowInt(n) {
			return bad()
		}
		dst.SetInt(n)
	}
	return nil
}

// splitList splits a list at its commas.
func splitList(text string) []string {
	var out []string
	for _, x := range strings.Split(text, ",") {
		if x = strings.TrimSpace(x); x != "" {
			out = append(out, x)
		}
	}
	return out
}

// splitCertificates reads "cert.pem:key.pem, other.pem".
func splitCertificates(text string) []netserver.CertFiles {
	var out []netserver.CertFiles
	for _, x := range splitList(text) {
		cert, key, _ := strings.Cut(x, ":")
		out = append(out, netserver.CertFiles{Cert: cert, Key: key})
	}
	return out
}

const day = 24 * time.Hour

// parseDuration is time.ParseDuration that knows days: "365d", "1d12h".
func parseDuration(s string) (time.Duration, error) {
	days, rest, ok := strings.Cut(s, "d")
	if !ok {
		return time.ParseDuration(s)
	}
	n, err := strconv.ParseUint(days, 10, 15) // 89 years
	if err != nil {
		return 0, err
	}
	d := time.Duration(n) * day
	if rest == "" {
		return d, nil
	}
	more, err := time.ParseDuration(rest)
	if err == nil && more < 0 {
		err = errors.New("negative")
	}
	return d + more, err
}

// formatDuration is the shortest form that parseDuration reads.
func formatDuration(d time.Duration) string {
	if d != 0 && d%day == 0 && d > day {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// units of sizes, largest first.
var units = []struct {
	name  string
	bytes int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"bytes", 1}, {"B", 1}}

// parseSize reads "256 KiB".
func parseSize(s string) (int64, error) {
	for _, u := range units {
		number, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
		if err == nil && (n > math.MaxInt64/u.bytes || n < math.MinInt64/u.bytes) {
			err = strconv.ErrRange
		}
		return n * u.bytes, err
	}
	return strconv.ParseInt(strings.TrimSpace(s), 10, 64)
}

// formatSize writes whole KiB, MiB and GiB with their unit.
func formatSize(n int64) string {
	for _, u := range units[:3] {
		if n != 0 && n%u.bytes == 0 {
			return fmt.Sprintf("%d %s", n/u.bytes, u.name)
		}
	}
	return strconv.FormatInt(n, 10)
}

// text is a value as fromText reads it.
func (s *setting) text(v reflect.Value) string {
	switch {
	case s.typ == durationType:
		return formatDuration(time.Duration(v.Int()))
	case s.typ == stringsType:
		return strings.Join(v.Interface().([]string), ",")
	case s.isSize():
		return formatSize(v.Int())
	}
	return fmt.Sprint(v.Interface())
}

// toTOML is a value as it stands in a file.
func (s *setting) toTOML(v reflect.Value) string {
	switch {
	case s.typ == stringsType:
		return "[" + quotedList(v.Interface().([]string)) + "]"
	case s.typ == durationType, s.typ.Kind() == reflect.String, s.isSize() && strings.Contains(s.text(v), " "):
		return strconv.Quote(s.text(v))
	}
	return s.text(v)
}

func quotedList(names []string) string {
	var q []string
	for _, n := range names {
		q = append(q, strconv.Quote(n))
	}
	return strings.Join(q, ", ")
}

// quoted lists choices: "a", "b" or "c".
func quoted(names []string) string {
	if len(names) < 2 {
		return quotedList(names)
	}
	last := slices.Clone(names[len(names)-1:])
	return quotedList(names[:len(names)-1]) + " or " + quotedList(last)
}
