package auth

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"weir/storage"
)

// vector is a whole exchange from an RFC.
type vector struct {
	source      string
	algo        *algorithm
	salt        string
	serverNonce string
	clientFirst string
	serverFirst string
	clientFinal string
	serverFinal string
}

var vectors = []vector{{
	source:      "RFC 5802 §5",
	algo:        sha1Algorithm,
	salt:        "QSXCR+Q6sek8bf92",
	serverNonce: "3rfcNHYJY1ZVvWVs7j",
	clientFirst: "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
	serverFirst: "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
	clientFinal: "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
	serverFinal: "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
}, {
	source:      "RFC 7677 §3",
	algo:        sha256Algorithm,
	salt:        "W22ZaJ0SNY7soEsUEjb6gQ==",
	serverNonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
	clientFirst: "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
	serverFirst: "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
	clientFinal: "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
	serverFinal: "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
}}

// store keeps an account "user" with password "pencil" under the salt.
func (v vector) store(t testing.TB, s *Service) {
	t.Helper()
	salt, err := base64.StdEncoding.DecodeString(v.salt)
	if err != nil {
		t.Fatal(err)
	}
	stored, server, err := v.algo.derive("pencil", salt, 4096)
	if err != nil {
		t.Fatal(err)
	}
	r := record{created: time.Unix(1, 0), keys: []keys{{hash: v.algo.id, iterations: 4096, salt: salt, stored: stored, server: server}}}
	var batch storage.Batch
	s.accounts.Put(&batch, domain, "user", r.encode())
	if err := s.commit(&batch); err != nil {
		t.Fatal(err)
	}
}

func TestVectors(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.source, func(t *testing.T) {
			s, _ := newService(t, cheap())
			v.store(t, s)
			x, err := s.Begin(Channel{Domain: domain}, v.algo.name)
			if err != nil {
				t.Fatal(err)
			}
			x.offer = &offer{} // the examples are older than XEP-0474
			x.ctx = t.Context()
			state, out, f := x.scramFirst([]byte(v.serverNonce), []byte(v.clientFirst))
			if f != nil || string(out) != v.serverFirst {
				t.Fatalf("server first: %q, %v\nwant %q", out, f, v.serverFirst)
			}
			out, f = x.scramFinal(state, []byte(v.clientFinal))
			if f != nil || string(out) != v.serverFinal {
				t.Fatalf("server final: %q, %v\nwant %q", out, f, v.serverFinal)
			}
			// The same with one bit of the proof changed.
			bent := strings.Replace(v.clientFinal, ",p=", ",p=A", 1)
			bent = bent[:len(bent)-2] + "="
			if _, f = x.scramFinal(state, []byte(bent)); f == nil {
				t.Error("a changed proof was accepted")
			}
		})
	}
}

// The example of XEP-0474 §6.3.
func TestDowngradeHash(t *testing.T) {
	names := []string{"SCRAM-SHA-1-PLUS", "SCRAM-SHA-1"}
	bindings := []string{"tls-server-end-point", "tls-exporter"}
	if got, want := downgradeHash(sha1Algorithm, names, bindings), "G6k/rBLDqgOhRRaCuuatSDFkJ08="; got != want {
		t.Errorf("hash is %s, want %s", got, want)
	}
	if names[0] != "SCRAM-SHA-1-PLUS" || bindings[0] != "tls-server-end-point" {
		t.Error("the lists were sorted in place")
	}
	// Without channel binding there is no delimiter for it.
	want := base64.StdEncoding.EncodeToString(sha1Algorithm.sum([]byte("PLAIN\x1eSCRAM-SHA-1")))
	if got := downgradeHash(sha1Algorithm, []string{"SCRAM-SHA-1", "PLAIN"}, nil); got != want {
		t.Errorf("hash is %s, want %s", got, want)
	}
}
