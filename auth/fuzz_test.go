package auth

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// conditions are the ones of RFC 6120 §6.5 that this package may give.
var conditions = []string{
	"account-disabled", "encryption-required", "invalid-authzid", "invalid-mechanism", "malformed-request",
	"mechanism-too-weak", "not-authorized", "temporary-auth-failure",
}

// fuzzStep feeds messages to a mechanism. None gets in, none makes it panic,
// each failure is one that RFC 6120 knows.
func fuzzStep(f *testing.F, mechanism string, seeds ...[2]string) {
	s, _ := newService(f, cheap())
	ch := secured()
	ch.Addr = netip.MustParseAddr("127.0.0.1")
	for _, seed := range seeds {
		f.Add([]byte(seed[0]), []byte(seed[1]))
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		if bytes.Contains(first, []byte(password)) {
			return // that would be a login
		}
		x, err := s.Begin(ch, mechanism)
		if err != nil {
			t.Fatal(err)
		}
		for _, msg := range [][]byte{first, second} {
			// Let the second message get past the nonce.
			out, done, err := x.Step(t.Context(), msg)
			if done || !x.Identity().IsZero() {
				t.Fatalf("logged in by %q, %q", first, second)
			}
			if err != nil {
				var fail *Failure
				if !errors.As(err, &fail) || !slices.Contains(conditions, fail.Condition) {
					t.Fatalf("failed with %v", err)
				}
				return
			}
			if strings.HasPrefix(string(out), "r=") {
				nonce, _, _ := strings.Cut(string(out[2:]), ",")
				second = bytes.ReplaceAll(second, []byte("NONCE"), []byte(nonce))
			}
		}
	})
}

func FuzzPlain(f *testing.F) {
	fuzzStep(f, "PLAIN", [2]string{"\x00juliet\x00wrong", ""}, [2]string{"juliet@example.net\x00juliet\x00wrong", ""}, [2]string{"", "\x00\x00"})
}

func scramSeeds(size int) [][2]string {
	proof := base64.StdEncoding.EncodeToString(make([]byte, size))
	return [][2]string{
		{"n,,n=juliet,r=abc", "c=biws,r=NONCE,p=" + proof},
		{"n,a=juliet@example.net,n=juliet,r=abc,x=y", "c=biws,r=NONCE,x=y,p=" + proof},
		{"y,,n=ju=2Cl=3D,r=abc", "c=eSws,r=NONCE,p=" + proof},
		{"n,,m=x,n=u,r=a", "m=x"},
		{"p=tls-unique,,n=u,r=a", ""},
	}
}

func FuzzScramSHA1(f *testing.F)   { fuzzStep(f, "SCRAM-SHA-1", scramSeeds(20)...) }
func FuzzScramSHA256(f *testing.F) { fuzzStep(f, "SCRAM-SHA-256", scramSeeds(32)...) }

func FuzzScramPlus(f *testing.F) {
	seeds := scramSeeds(32)
	for i := range seeds {
		seeds[i][0] = strings.Replace(seeds[i][0], "n,", "p=tls-server-end-point,", 1)
	}
	fuzzStep(f, "SCRAM-SHA-256-PLUS", seeds...)
}

// FuzzClientFirst checks that what is taken apart is the whole message, and that
// names survive the escaping.
func FuzzClientFirst(f *testing.F) {
	for _, seed := range scramSeeds(32) {
		f.Add([]byte(seed[0]))
	}
	escape := strings.NewReplacer("=", "=3D", ",", "=2C")
	f.Fuzz(func(t *testing.T, msg []byte) {
		m, fail := parseClientFirst(msg)
		if fail != nil {
			return
		}
		if m.header+m.bare != string(msg) {
			t.Fatalf("%q became %q and %q", msg, m.header, m.bare)
		}
		if !strings.HasPrefix(m.bare, "n="+escape.Replace(m.name)+",r="+m.nonce) {
			t.Fatalf("%q has the name %q", msg, m.name)
		}
	})
}

// FuzzRecord checks that a record is read in one way only.
func FuzzRecord(f *testing.F) {
	f.Add(someRecord(f).encode())
	f.Add([]byte{recordVersion, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeRecord(b)
		if err == nil && !bytes.Equal(r.encode(), b) {
			t.Fatalf("%x became %x", b, r.encode())
		}
	})
}

// FuzzDevice checks that a device is read in one way only.
func FuzzDevice(f *testing.F) {
	f.Add(someDevice().encode())
	f.Add((&device{}).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := decodeDevice(b)
		if err == nil && !bytes.Equal(d.encode(), b) {
			t.Fatalf("%x became %x", b, d.encode())
		}
	})
}

// FuzzToken feeds messages to the mechanism of tokens. None gets in.
func FuzzToken(f *testing.F) {
	s, _ := newService(f, cheap())
	for _, seed := range []string{"juliet\x00", "juliet\x00" + strings.Repeat("x", 32), "\xff\x00" + strings.Repeat("x", 32), "\x00"} {
		f.Add([]byte(seed), someAgent.ID)
	}
	f.Fuzz(func(t *testing.T, msg []byte, agent string) {
		x, err := s.BeginToken(secured(), "HT-SHA-256-NONE", TokenUse{Agent: agent})
		if err != nil {
			t.Fatal(err)
		}
		_, done, err := x.Step(t.Context(), msg)
		var fail *Failure
		if done || !errors.As(err, &fail) || !slices.Contains(conditions, fail.Condition) {
			t.Fatalf("%q: %v", msg, err)
		}
	})
}

// FuzzAgentID checks that only ids of version 4 are taken.
func FuzzAgentID(f *testing.F) {
	f.Add(someAgent.ID)
	f.Add("D4565FA7-4D72-4749-B3D3-740EDBF87770")
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	f.Fuzz(func(t *testing.T, id string) {
		got, ok := AgentID(id)
		if want := form.MatchString(strings.ToLower(id)); ok != want || ok && got != strings.ToLower(id) {
			t.Fatalf("%q: %q, %v", id, got, ok)
		}
		if text := AgentText(id); len(text) > maxAgentText || !utf8.ValidString(text) || strings.ContainsAny(text, "\x00\n\x7f\u202e") {
			t.Fatalf("%q became %q", id, text)
		}
	})
}
