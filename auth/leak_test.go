package auth

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"weir/jid"
	"weir/storage"
)

// forms are the ways in which bytes show up in text.
func forms(b []byte) []string {
	return []string{
		string(b), hex.EncodeToString(b), strings.ToUpper(hex.EncodeToString(b)), strings.Trim(fmt.Sprint(b), "[]"),
		base64.StdEncoding.EncodeToString(b), strings.Trim(fmt.Sprintf("%q", b), `"`),
	}
}

// No error, no log line and no printed value holds a password or key, whatever
// goes wrong.
func TestNoSecretShows(t *testing.T) {
	var out bytes.Buffer
	o := cheap()
	o.Log = slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s, st := newService(t, o)
	r, err := s.find(t.Context(), juliet())
	if err != nil {
		t.Fatal(err)
	}
	const other = "an0ther\tpassw0rd"
	hidden := [][]byte{[]byte(password), []byte(other), s.secret}
	for _, k := range r.keys {
		hidden = append(hidden, k.stored, k.server)
	}
	show := func(what string, values ...any) {
		for _, v := range values {
			fmt.Fprintf(&out, "%s: %v %+v %#v %s %q %x\n", what, v, v, v, v, v, v)
			s.log.Error(what, "value", v)
			if b, err := json.Marshal(v); err == nil {
				out.Write(b)
			}
		}
	}

	ch := secured()
	for _, outage := range []error{nil, errors.New("disk on fire")} {
		st.set(outage, nil)
		s.cache = newCache()
		for _, p := range []string{other, password, password + "\x00" + other, "\xff" + password} {
			x, _, err := one(t, s, ch, "PLAIN", "\x00juliet\x00"+p)
			show("plain", err, x)
			x, _, err = one(t, s, ch, "PLAIN", "romeo@"+domain+"\x00juliet\x00"+p)
			show("plain", err, x)
		}
		for _, first := range []string{"n,,n=juliet,r=abc", "y,,n=juliet,r=abc", "n,a=x,n=juliet,r=abc", "rubbish " + password} {
			x, out1, err := one(t, s, ch, "SCRAM-SHA-256", first)
			show("first", err, x)
			if err != nil {
				continue
			}
			nonce, _, _ := strings.Cut(string(out1), ",")
			_, _, err = x.Step(t.Context(), []byte("c=biws,"+nonce+",p="+base64.StdEncoding.EncodeToString(make([]byte, 32))))
			show("final", err, x)
		}
		show("accounts", s.Create(t.Context(), juliet(), password), s.SetPassword(t.Context(), jid.MustParse("x@"+domain), other),
			s.Create(t.Context(), jid.MustParse("x@"+domain), "\x07"+password), s.SetPassword(t.Context(), juliet(), password[:4]))
		err := s.CreateMany(t.Context(), source([]entry{{jid: "juliet@" + domain, password: password}, {jid: "y@" + domain, password: "\x07" + other}}), nil)
		show("bulk", err)
	}
	st.set(nil, nil)
	var batch storage.Batch
	s.accounts.Put(&batch, domain, "broken", append([]byte{9}, r.encode()...))
	s.accounts.Put(&batch, domain, "broken2", r.encode()[:90])
	if err := s.commit(&batch); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"broken", "broken2"} {
		_, err := s.Lookup(t.Context(), jid.MustParse(name+"@"+domain))
		show("broken", err)
	}
	show("values", s, *r, r, r.keys, r.keys[0], s.secret, struct{ S *Service }{s})

	text := out.String()
	if len(text) < 5000 || !strings.Contains(text, "disk on fire") || !strings.Contains(text, "***") {
		t.Fatal("hardly anything was shown")
	}
	for i, b := range hidden {
		for _, form := range forms(b) {
			if at := strings.Index(text, form); at >= 0 {
				t.Errorf("secret %d shows in %q", i, text[max(0, at-80):at])
			}
		}
	}
}

// Secrets are compared in constant time: nothing that holds one stands beside ==
// or in bytes.Equal.
func TestConstantTime(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	compared := regexp.MustCompile(`(stored|server|proof|secret|nonce|password|signature|verifier)\w*\s*[!=]=\s?[^"n\s]|(bytes\.Equal|slices\.Equal|reflect\.DeepEqual)\(`)
	allowed := regexp.MustCompile(`bytes\.Equal\(now, b\)`) // the whole record, before it is written
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			if compared.MatchString(line) && !allowed.MatchString(line) {
				t.Errorf("%s:%d: %s", name, i+1, strings.TrimSpace(line))
			}
		}
	}
}
