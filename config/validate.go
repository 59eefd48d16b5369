package config

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"weir/jid"
	"weir/policy"
)

// choices are the values of settings that have few.
var choices = map[string][]string{
	"log.level":            {"debug", "info", "warn", "error"},
	"log.format":           {"text", "json"},
	"storage.durability":   {"disk", "process"},
	"session.conflict":     {"replace", "refuse", "rename"},
	"session.archive":      {"always", "roster", "never"},
	"presence.hibernating": {"stay", "away", "unavailable"},
}

// validate looks for values that make no sense, by rules of our own and by those
// of the packages that obey them.
func (l *loader) validate() {
	before := len(l.mistakes)
	for i := range l.all {
		s := &l.all[i]
		at, given := l.origin[s.key()]
		if !given || slices.Contains(l.bad, s.key()) {
			continue
		}
		if text, hint := l.check(s); text != "" {
			l.complain(at, s.key(), text, hint)
		}
	}
	if len(l.mistakes) == before && len(l.bad) == 0 {
		l.validateTogether()
	}
}

// check looks at one value that was given.
func (l *loader) check(s *setting) (text, hint string) {
	v := s.of(&l.cfg)
	if names := choices[s.key()]; names != nil {
		if slices.Contains(names, v.String()) {
			return "", ""
		}
		hint = "it has to be " + quoted(names)
		if n := nearest(v.String(), names); n != "" {
			hint = "did you mean " + strconv.Quote(n) + "? " + hint
		}
		return fmt.Sprintf("%s is %q", s.name, v.String()), hint
	}
	switch s.key() {
	case "domains":
		return l.checkDomains()
	case "data":
		if l.cfg.Data == "" {
			return "data is empty", `it has to be a folder like "/var/lib/weir"`
		}
	case "shutdown_timeout":
		if l.cfg.ShutdownTimeout < 0 {
			return "shutdown_timeout is negative", "it has to be " + s.example()
		}
	case "session.hibernate":
		if l.cfg.Session.Hibernate == 0 { // the package takes that for its default
			return "hibernate is 0", `"-1s" turns resumption off; else it is ` + s.example()
		}
	case "presence.hibernating_after":
		if l.cfg.Presence.HibernatingAfter == 0 { // as above
			return "hibernating_after is 0", `it has to be "1s" or more, ` + s.example()
		}
	case "policy.rules":
		return l.checkRules()
	case "tls.certificates":
		return l.checkCertificates()
	case "listen.c2s", "listen.c2s_tls", "listen.metrics", "listen.c2s_insecure", "listen.component":
		return l.checkAddress(s, v.String())
	}
	return l.checkAlone(s)
}

// checkAlone asks the package that obeys a value whether it makes sense, with
// everything else at its default: so the mistake is known to be this one.
func (l *loader) checkAlone(s *setting) (text, hint string) {
	alone := Default()
	s.of(&alone).Set(s.of(&l.cfg))
	err := validateSection(&alone, s.field[0])
	if err == nil {
		return "", ""
	}
	text = l.rename(err.Error(), s.field[0])
	if !strings.Contains(text, s.name) {
		text = fmt.Sprintf("%s is %s: %s", s.name, s.toTOML(s.of(&l.cfg)), text)
	}
	def := Default()
	return text, "the default is " + s.toTOML(s.of(&def))
}

// validateTogether finds what is wrong with the whole though each value alone is
// right.
func (l *loader) validateTogether() {
	t := reflect.TypeFor[Config]()
	for i := range t.NumField() {
		err := validateSection(&l.cfg, i)
		if err == nil {
			continue
		}
		at := Mistake{}
		for k := range l.all {
			if o, ok := l.origin[l.all[k].key()]; ok && l.all[k].field[0] == i {
				at = o
				break
			}
		}
		l.complain(at, nameOf(t.Field(i)), "["+nameOf(t.Field(i))+"]: "+l.rename(err.Error(), i), "")
	}
}

// validateSection calls the Validate of one field of a configuration. Fields
// that the program fills in have values that pass.
func validateSection(c *Config, field int) error {
	whole := *c
	whole.Storage.Dir = "store"
	whole.Session.Domains = c.Domains
	if v, ok := reflect.ValueOf(&whole).Elem().Field(field).Addr().Interface().(interface{ Validate() error }); ok {
		return v.Validate()
	}
	return nil
}

var (
	packagePrefix = regexp.MustCompile(`(?m)^[a-z0-9]+: `)
	word          = regexp.MustCompile(`[A-Za-z0-9]+`)
)

// rename puts the keys of a section in place of the fields' names.
func (l *loader) rename(text string, field int) string {
	text = packagePrefix.ReplaceAllString(text, "")
	return word.ReplaceAllStringFunc(text, func(w string) string {
		for i := range l.all {
			if l.all[i].goName == w && l.all[i].field[0] == field {
				return l.all[i].name
			}
		}
		return w
	})
}

func (l *loader) checkDomains() (text, hint string) {
	if len(l.cfg.Domains) == 0 {
		return "domains is empty", `it has to be a list like ["example.org"]`
	}
	var seen []string
	for _, d := range l.cfg.Domains {
		j, err := jid.New("", d, "")
		if err != nil || strings.ContainsAny(d, "@/ ") {
			return fmt.Sprintf("%q is not a domain", d), `a domain is what stands behind the @: "example.org"`
		}
		if slices.Contains(seen, j.Domain()) {
			return fmt.Sprintf("the domain %q stands there twice", d), ""
		}
		seen = append(seen, j.Domain())
	}
	l.cfg.Domains = seen
	return "", ""
}

// checkRules looks at rules with the classes that they may name, unless those are
// told to be wrong themselves.
func (l *loader) checkRules() (text, hint string) {
	classes := policy.Options{Classes: l.cfg.Policy.Classes}
	if slices.Contains(l.bad, "policy.classes") || classes.Validate() != nil {
		return "", ""
	}
	if err := l.cfg.Policy.Validate(); err != nil {
		return l.rename(err.Error(), l.setting("policy.rules").field[0]), "`weir policy --help` has examples"
	}
	return "", ""
}

func (l *loader) checkCertificates() (text, hint string) {
	for _, c := range l.cfg.TLS.Certificates {
		for _, name := range []string{c.Cert, c.Key} {
			if _, err := os.Stat(name); name != "" && err != nil {
				return fmt.Sprintf("the certificate file can't be used: %v", err), "paths are relative to the folder weir is started in"
			}
		}
	}
	return "", ""
}

// checkAddress looks at an address to listen on.
func (l *loader) checkAddress(s *setting, addr string) (text, hint string) {
	if addr == "" {
		return "", ""
	}
	const form = `an address is ":5222", "127.0.0.1:5222" or "[::1]:5222"; "" opens none`
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Sprintf("%s is %q, which is not an address with a port", s.name, addr), form
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Sprintf("%s is %q: %q is not a port", s.name, addr, port), "a port is a number from 0 (any free one) to 65535"
	} else if s.key() == "listen.c2s_insecure" && !l.cfg.Listen.InsecureAnywhere && !IsLoopback(host) {
		return fmt.Sprintf("%s is %q, where passwords and messages could be read by everybody on the way", s.name, addr),
			fmt.Sprintf("take a loopback address like \"127.0.0.1:%d\", or set insecure_anywhere (--c2s-insecure-anywhere) if a network of your own protects it", n)
	} else if s.key() == "listen.component" && !l.cfg.Listen.ComponentAnywhere && !IsLoopback(host) {
		return fmt.Sprintf("%s is %q, where everybody on the way could read and change what components say", s.name, addr),
			fmt.Sprintf("take a loopback address like \"127.0.0.1:%d\", or set component_anywhere if a network of your own protects it", n)
	}
	return "", ""
}

// IsLoopback reports whether a host reaches only this machine. A name does only
// if it is localhost.
func IsLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback() || host == "localhost"
}
