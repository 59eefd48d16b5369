package auth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"

	"weir/storage"

	"github.com/xdg-go/scram"
	"mellium.im/sasl"
)

// wantFailure checks a failure; the text of wrong credentials is always one.
func wantFailure(t *testing.T, what string, err error, condition string, credentials bool) {
	t.Helper()
	var f *Failure
	if !errors.As(err, &f) {
		t.Fatalf("%s: got %v, want %s", what, err, condition)
	}
	if f.Condition != condition || f.Credentials != credentials {
		t.Errorf("%s: got %s (%s), credentials %v; want %s, %v", what, f.Condition, f.Text, f.Credentials, condition, credentials)
	}
	if credentials && f.Text != wrong(nil).Text {
		t.Errorf("%s: a wrong credential is told from others: %q", what, f.Text)
	}
}

// one runs a mechanism with one message.
func one(t *testing.T, s *Service, ch Channel, mechanism, msg string) (*Exchange, []byte, error) {
	t.Helper()
	x, err := s.Begin(ch, mechanism)
	if err != nil {
		return nil, nil, err
	}
	out, _, err := x.Step(t.Context(), []byte(msg))
	return x, out, err
}

func secured() Channel {
	return Channel{Domain: domain, TLS: &tls.ConnectionState{HandshakeComplete: true, Version: tls.VersionTLS13}}
}

func TestMechanisms(t *testing.T) {
	s, _ := newService(t, cheap())
	modern := cheap()
	modern.SHA1 = false
	s256, _ := newService(t, modern)
	full, _ := handshake(t, tls.VersionTLS13, certificate(t, x509.ECDSAWithSHA256))
	legacy, _ := handshake(t, tls.VersionTLS12, certificate(t, x509.ECDSAWithSHA256))
	resumed, _ := handshake(t, tls.VersionTLS12, legacy.Certificate)
	resumed.TLS.TLSUnique = nil // as crypto/tls has it then
	for _, test := range []struct {
		what            string
		s               *Service
		ch              Channel
		names, bindings string
	}{
		{"TLS 1.3", s, full, "SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-1 PLAIN", "tls-exporter tls-server-end-point"},
		{"TLS 1.2", s, legacy, "SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-1 PLAIN", "tls-exporter tls-unique tls-server-end-point"},
		{"TLS 1.2, resumed without extended master secret", s, resumed, "SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-1 PLAIN", "tls-exporter tls-server-end-point"},
		{"no SHA-1", s256, full, "SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN", "tls-exporter tls-server-end-point"},
		{"certificate unknown", s, secured(), "SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-1 PLAIN", "tls-exporter"},
		{"no TLS", s, Channel{Domain: domain}, "SCRAM-SHA-256 SCRAM-SHA-1", ""},
		{"no TLS, PLAIN allowed", s, Channel{Domain: domain, AllowPlain: true}, "SCRAM-SHA-256 SCRAM-SHA-1 PLAIN", ""},
		{"certificate without TLS", s, Channel{Domain: domain, Certificate: full.Certificate}, "SCRAM-SHA-256 SCRAM-SHA-1", ""},
	} {
		names, bindings := test.s.Mechanisms(test.ch)
		if strings.Join(names, " ") != test.names || strings.Join(bindings, " ") != test.bindings {
			t.Errorf("%s: %v %v", test.what, names, bindings)
		}
	}
}

func TestBindingHash(t *testing.T) {
	if bindingHash(x509.PureEd25519) != 0 || bindingHash(x509.SHA1WithRSA).Size() != 32 || bindingHash(x509.SHA512WithRSAPSS).Size() != 64 {
		t.Error("wrong hash")
	}
	if endPoint([]byte("no certificate")) != nil {
		t.Error("something that is no certificate has a binding")
	}
}

func TestBeginRefuses(t *testing.T) {
	s, st := newService(t, cheap())
	modern := cheap()
	modern.SHA1 = false
	s256, _ := newService(t, modern)
	for _, test := range []struct {
		s               *Service
		ch              Channel
		name, condition string
	}{
		{s, secured(), "", "invalid-mechanism"},
		{s, secured(), "CRAM-MD5", "invalid-mechanism"},
		{s, secured(), "scram-sha-256", "invalid-mechanism"},
		{s, secured(), "SCRAM-SHA-512", "invalid-mechanism"},
		{s, secured(), "PLAIN-PLUS", "invalid-mechanism"},
		{s, secured(), "SCRAM-SHA-256-PLUS-PLUS", "invalid-mechanism"},
		{s, Channel{Domain: domain}, "PLAIN", "encryption-required"},
		{s, Channel{Domain: domain}, "SCRAM-SHA-256-PLUS", "encryption-required"},
		{s256, secured(), "SCRAM-SHA-1", "mechanism-too-weak"},
		{s256, secured(), "SCRAM-SHA-1-PLUS", "mechanism-too-weak"},
	} {
		_, err := test.s.Begin(test.ch, test.name)
		wantFailure(t, test.name, err, test.condition, false)
	}
	st.set(nil, storage.ErrFailed)
	_, err := s.Begin(secured(), "PLAIN")
	wantFailure(t, "failed store", err, "temporary-auth-failure", false)
}

// What slixmpp 1.8.3 does in TLS 1.3, which has no tls-unique: that for any -PLUS all
// the same, then SCRAM with y, then PLAIN. Each try is refused as no wrong password, and the last gets in.
func TestFallback(t *testing.T) {
	s, _ := newService(t, cheap())
	ch, cs := handshake(t, tls.VersionTLS13, certificate(t, x509.ECDSAWithSHA256))
	for _, name := range []string{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS"} {
		_, _, err := one(t, s, ch, name, "p=tls-unique,,n=juliet,r=abc")
		wantFailure(t, name+" tls-unique", err, "not-authorized", false)
		_, _, err = one(t, s, ch, name, "y,,n=juliet,r=abc")
		wantFailure(t, name+" y", err, "malformed-request", false)
		_, _, err = one(t, s, ch, name, "n,,n=juliet,r=abc")
		wantFailure(t, name+" n", err, "malformed-request", false)
	}
	for _, name := range []string{"SCRAM-SHA-256", "SCRAM-SHA-1"} {
		_, _, err := one(t, s, ch, name, "y,,n=juliet,r=abc")
		wantFailure(t, name+" y", err, "not-authorized", false)
		_, _, err = one(t, s, ch, name, "p=tls-exporter,,n=juliet,r=abc")
		wantFailure(t, name+" p", err, "malformed-request", false)
	}
	x, f := login(t, s, ch, "PLAIN", melliumClient(sasl.Plain, "juliet", password, "", cs, nil))
	wantLogin(t, x, f, "PLAIN", "")
	// With no binding on offer, y is true.
	c, _ := scram.SHA256.NewClient("juliet", password, "")
	conv := c.NewConversationAdvertisingChannelBinding()
	x, f = login(t, s, Channel{Domain: domain}, "SCRAM-SHA-256", func(in []byte) ([]byte, error) {
		out, err := conv.Step(string(in))
		return []byte(out), err
	})
	wantLogin(t, x, f, "SCRAM-SHA-256", "")
}

func TestAuthzid(t *testing.T) {
	s, _ := newService(t, cheap())
	if err := s.Create(t.Context(), juliet().Host(), password); !errors.Is(err, ErrBadName) {
		t.Fatalf("an account without a name: %v", err)
	}
	for authzid, ok := range map[string]bool{
		"":                           true,
		"juliet@example.net":         true,
		"JULIET@Example.NET":         true,
		"romeo@example.net":          false,
		"juliet@example.com":         false,
		"juliet@example.net/balcony": false,
		"juliet":                     false,
		"example.net":                false,
		"@example.net":               false,
		"juliet@":                    false,
		"admin":                      false,
	} {
		_, _, err := one(t, s, secured(), "PLAIN", authzid+"\x00Juliet\x00"+password)
		header := "n,,"
		if authzid != "" {
			header = "n,a=" + authzid + ","
		}
		_, _, err2 := one(t, s, secured(), "SCRAM-SHA-256", header+"n=Juliet,r=abc")
		for _, err := range []error{err, err2} {
			if ok && err != nil {
				t.Errorf("%q was refused: %v", authzid, err)
			} else if !ok {
				wantFailure(t, authzid, err, "invalid-authzid", false)
			}
		}
	}
}

func TestInitialResponse(t *testing.T) {
	s, _ := newService(t, cheap())
	for name, msg := range map[string]string{"PLAIN": "\x00juliet\x00" + password, "SCRAM-SHA-1": "n,,n=juliet,r=abc"} {
		x, err := s.Begin(secured(), name)
		if err != nil {
			t.Fatal(err)
		}
		// None at all is asked for with an empty challenge (RFC 6120 §6.4.2) …
		out, done, err := x.Step(t.Context(), nil)
		if out == nil || len(out) != 0 || done || err != nil {
			t.Fatalf("%s without initial response: %q %v %v", name, out, done, err)
		}
		if _, _, err = x.Step(t.Context(), []byte(msg)); err != nil {
			t.Fatalf("%s after an empty challenge: %v", name, err)
		}
		// … but an empty one, or none twice, is against the grammar.
		for _, msgs := range [][][]byte{{{}}, {nil, nil}, {nil, {}}} {
			x, _ = s.Begin(secured(), name)
			for i, msg := range msgs {
				_, _, err = x.Step(t.Context(), msg)
				if i == len(msgs)-1 {
					wantFailure(t, name+" empty", err, "malformed-request", false)
				}
			}
		}
		_, _, err = one(t, s, secured(), name, strings.Repeat("a", maxMessage+1))
		wantFailure(t, name+" long", err, "malformed-request", false)
	}
}

// An exchange that is over stays over, and says who it is only after success.
func TestOver(t *testing.T) {
	s, _ := newService(t, cheap())
	good := []byte("\x00juliet\x00" + password)
	x, _, err := one(t, s, secured(), "PLAIN", string(good))
	if err != nil || x.Identity() != juliet() {
		t.Fatal(err)
	}
	_, _, err = x.Step(t.Context(), good)
	wantFailure(t, "after success", err, "malformed-request", false)
	x, _, err = one(t, s, secured(), "PLAIN", "\x00juliet\x00wrong")
	wantFailure(t, "wrong password", err, "not-authorized", true)
	if !x.Identity().IsZero() || x.Claimed() != juliet() {
		t.Errorf("a failed exchange has the identity %q, claimed %q", x.Identity(), x.Claimed())
	}
	_, _, err = x.Step(t.Context(), good)
	wantFailure(t, "after failure", err, "malformed-request", false)
}

func TestFinalMessage(t *testing.T) {
	s, _ := newService(t, cheap())
	ch, cs := handshake(t, tls.VersionTLS13, certificate(t, x509.ECDSAWithSHA256))
	data, _ := cs.ExportKeyingMaterial(exporterLabel, nil, exporterLength)
	c := func(header string, data []byte) string {
		return base64.StdEncoding.EncodeToString(append([]byte(header), data...))
	}
	proof := base64.StdEncoding.EncodeToString(make([]byte, 32))
	for _, test := range []struct {
		what, mech, header, binding, nonce, condition string
		credentials                                   bool
	}{
		{"right but the proof", "SCRAM-SHA-256", "n,,", "biws", "", "not-authorized", true},
		{"header y for n", "SCRAM-SHA-256", "n,,", c("y,,", nil), "", "not-authorized", false},
		{"header with authzid", "SCRAM-SHA-256", "n,,", c("n,a=juliet@example.net,", nil), "", "not-authorized", false},
		{"header without authzid", "SCRAM-SHA-256", "n,a=juliet@example.net,", "biws", "", "not-authorized", false},
		{"binding data for n", "SCRAM-SHA-256", "n,,", c("n,,", data), "", "not-authorized", false},
		{"other nonce", "SCRAM-SHA-256", "n,,", "biws", "x", "not-authorized", false},
		{"bound, right but the proof", "SCRAM-SHA-256-PLUS", "p=tls-exporter,,", c("p=tls-exporter,,", data), "", "not-authorized", true},
		{"no binding data", "SCRAM-SHA-256-PLUS", "p=tls-exporter,,", c("p=tls-exporter,,", nil), "", "not-authorized", false},
		{"binding data cut", "SCRAM-SHA-256-PLUS", "p=tls-exporter,,", c("p=tls-exporter,,", data[:31]), "", "not-authorized", false},
		{"data of another type", "SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,", c("p=tls-server-end-point,,", data), "", "not-authorized", false},
		{"header of another type", "SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,", c("p=tls-exporter,,", data), "", "not-authorized", false},
	} {
		x, out, err := one(t, s, ch, test.mech, test.header+"n=juliet,r=abc")
		if err != nil {
			t.Fatalf("%s: %v", test.what, err)
		}
		nonce, _, _ := strings.Cut(strings.TrimPrefix(string(out), "r="), ",")
		if !strings.HasPrefix(nonce, "abc") || len(nonce) < 3+22 {
			t.Fatalf("nonce %q", nonce)
		}
		_, _, err = x.Step(t.Context(), []byte("c="+test.binding+",r="+nonce+test.nonce+",p="+proof))
		wantFailure(t, test.what, err, test.condition, test.credentials)
	}
}

func TestServerFirstHash(t *testing.T) {
	s, _ := newService(t, cheap())
	ch, _ := handshake(t, tls.VersionTLS13, certificate(t, x509.ECDSAWithSHA256))
	legacy, _ := handshake(t, tls.VersionTLS12, certificate(t, x509.ECDSAWithSHA256))
	for version, ch := range map[string]Channel{",t=0304": ch, ",t=0303": legacy, "": {Domain: domain}} { // XEP-0515 §4.1
		names, bindings := s.Mechanisms(ch)
		_, out, err := one(t, s, ch, "SCRAM-SHA-1", "n,,n=juliet,r=abc")
		if err != nil {
			t.Fatal(err)
		}
		if want := ",h=" + downgradeHash(sha1Algorithm, slices.Clone(names), bindings) + version; !strings.HasSuffix(string(out), want) {
			t.Errorf("%q doesn't end in %q", out, want)
		}
	}
}

func TestDisabled(t *testing.T) {
	s, _ := newService(t, cheap())
	if err := s.SetDisabled(t.Context(), juliet(), true); err != nil {
		t.Fatal(err)
	}
	for _, m := range []sasl.Mechanism{sasl.Plain, sasl.ScramSha256, sasl.ScramSha1} {
		_, f := login(t, s, secured(), m.Name, melliumClient(m, "juliet", password, "", nil, nil))
		wantFailure(t, m.Name, f, "account-disabled", false)
		if !errors.Is(f, ErrDisabled) {
			t.Errorf("%v is not ErrDisabled", f)
		}
		_, f = login(t, s, secured(), m.Name, melliumClient(m, "juliet", "wrong", "", nil, nil))
		wantFailure(t, m.Name+" wrong", f, "not-authorized", true)
	}
}

// A storage outage is never a wrong password.
func TestOutage(t *testing.T) {
	s, st := newService(t, cheap())
	for _, name := range []string{"juliet", "nobody"} {
		s.cache = newCache()
		st.set(errors.New("disk on fire"), nil)
		_, _, err := one(t, s, secured(), "PLAIN", "\x00"+name+"\x00"+password)
		wantFailure(t, "PLAIN", err, "temporary-auth-failure", false)
		_, _, err = one(t, s, secured(), "SCRAM-SHA-256", "n,,n="+name+",r=abc")
		wantFailure(t, "SCRAM", err, "temporary-auth-failure", false)
		if _, err := s.Exists(t.Context(), juliet()); err == nil {
			t.Error("Exists doesn't tell that it doesn't know")
		}
		st.set(nil, nil)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	x, _ := s.Begin(secured(), "PLAIN")
	_, _, err := x.Step(ctx, []byte("\x00juliet\x00"+password))
	wantFailure(t, "cancelled", err, "temporary-auth-failure", false)
}

// What changes during an exchange holds at its end.
func TestChangedDuringExchange(t *testing.T) {
	for condition, change := range map[string]func(*Service) error{
		"account-disabled": func(s *Service) error { return s.SetDisabled(t.Context(), juliet(), true) },
		"not-authorized":   func(s *Service) error { return s.Delete(t.Context(), juliet()) },
		"not-authorized ":  func(s *Service) error { return s.SetPassword(t.Context(), juliet(), "another password") },
	} {
		s, _ := newService(t, cheap())
		steps := 0
		c := xdgClient(t, scram.SHA256, "juliet", password, nil)
		_, f := login(t, s, secured(), "SCRAM-SHA-256", func(in []byte) ([]byte, error) {
			if steps++; steps == 2 {
				if err := change(s); err != nil {
					t.Error(err)
				}
			}
			return c(in)
		})
		condition = strings.TrimSpace(condition)
		wantFailure(t, condition, f, condition, condition == "not-authorized")
	}
}
