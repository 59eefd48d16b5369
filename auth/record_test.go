package auth

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"weir/jid"
	"weir/storage"
)

func someRecord(t testing.TB) *record {
	t.Helper()
	r := &record{created: time.Unix(1_700_000_000, 0).UTC(), disabled: true}
	for _, a := range []*algorithm{sha256Algorithm, sha1Algorithm} {
		k, err := a.fresh("pencil", minIterations)
		if err != nil {
			t.Fatal(err)
		}
		r.keys = append(r.keys, k)
	}
	return r
}

func TestRecord(t *testing.T) {
	r := someRecord(t)
	b := r.encode()
	got, err := decodeRecord(b)
	if err != nil || !got.created.Equal(r.created) || !got.disabled || len(got.keys) != 2 {
		t.Fatalf("read %v, %v", got, err)
	}
	for i, k := range r.keys {
		g := got.keys[i]
		if g.hash != k.hash || g.iterations != k.iterations || !bytes.Equal(g.salt, k.salt) ||
			!bytes.Equal(g.stored, k.stored) || !bytes.Equal(g.server, k.server) {
			t.Errorf("key %d differs", i)
		}
	}
	if !bytes.Equal(got.encode(), b) {
		t.Error("written again it differs")
	}
	if got.of(sha1Algorithm).hash != sha1Algorithm.id || (&record{}).of(sha1Algorithm) != nil {
		t.Error("keys of another hash")
	}
	if len(r.keys[0].salt) != 16 || bytes.Equal(r.keys[0].salt, r.keys[1].salt) {
		t.Error("salts are short or the same")
	}
}

func TestRecordDamaged(t *testing.T) {
	b := someRecord(t).encode()
	for n := range b {
		if _, err := decodeRecord(b[:n]); !errors.Is(err, errRecord) {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
	bad := map[string]func(b []byte) []byte{
		"trailing byte":   func(b []byte) []byte { return append(b, 0) },
		"newer version":   func(b []byte) []byte { b[0]++; return b },
		"unknown flag":    func(b []byte) []byte { b[1] |= 0x80; return b },
		"unknown hash":    func(b []byte) []byte { b[11] = 9; return b },
		"hash of another": func(b []byte) []byte { b[11] = sha1Algorithm.id; return b },
		"no iterations":   func(b []byte) []byte { copy(b[12:], make([]byte, 4)); return b },
	}
	for what, damage := range bad {
		if _, err := decodeRecord(damage(bytes.Clone(b))); !errors.Is(err, errRecord) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A record that can't be read is an outage for its owner, not a wrong password,
// and doesn't hide the others.
func TestDamagedAccount(t *testing.T) {
	s, _ := newService(t, cheap())
	var batch storage.Batch
	s.accounts.Put(&batch, domain, "broken", []byte{recordVersion + 1})
	if err := s.commit(&batch); err != nil {
		t.Fatal(err)
	}
	_, _, err := one(t, s, secured(), "PLAIN", "\x00broken\x00"+password)
	wantFailure(t, "broken", err, "temporary-auth-failure", false)
	if err := s.SetDisabled(t.Context(), jid.MustParse("broken@"+domain), true); !errors.Is(err, errRecord) {
		t.Errorf("changed: %v", err)
	}
	n := 0
	if err := s.Accounts(t.Context(), domain, func(Account) bool { n++; return true }); err != nil || n != 1 {
		t.Errorf("walked %d, %v", n, err)
	}
	if err := s.Delete(t.Context(), juliet()); err != nil {
		t.Error(err)
	}
}

// The secret survives, and a damaged one is never replaced in silence.
func TestServerSecret(t *testing.T) {
	s, st := newService(t, cheap())
	again, err := New(t.Context(), cheap(), st)
	if err != nil || !bytes.Equal(s.secret, again.secret) || len(s.secret) != secretLength {
		t.Errorf("the secret changed: %v", err)
	}
	var batch storage.Batch
	storage.NewKeyVal(st, tableServer).Set(&batch, serverAccount, []byte("?"))
	if err := s.commit(&batch); err != nil {
		t.Fatal(err)
	}
	if _, err := New(t.Context(), cheap(), st); err == nil {
		t.Error("a damaged secret was taken")
	}
}

func TestCache(t *testing.T) {
	c := newCache()
	j := juliet()
	r := &record{}
	_, ok, gen := c.get(j)
	if ok {
		t.Fatal("something from nothing")
	}
	// What was read before a change isn't kept after it.
	c.forget(j)
	c.put(j, r, gen)
	if _, ok, _ = c.get(j); ok {
		t.Error("an old record was kept")
	}
	_, _, gen = c.get(j)
	c.put(j, r, gen)
	if got, ok, _ := c.get(j); !ok || got != r {
		t.Error("a record was not kept")
	}
	// Any number of unknown names leaves accounts alone, and is bounded.
	for i := range cacheUnknown * 2 {
		k, _ := jid.New("x"+time.Unix(int64(i), 0).UTC().Format("20060102150405"), domain, "")
		_, _, gen := c.get(k)
		c.put(k, nil, gen)
	}
	n := 0
	for i := range c.shards {
		n += len(c.shards[i].unknown)
	}
	if n > cacheUnknown || n < cacheUnknown/2 {
		t.Errorf("%d unknown names are kept", n)
	}
	if _, ok, _ := c.get(j); !ok {
		t.Error("unknown names pushed out an account")
	}
	c.forget(j)
	if _, ok, _ := c.get(j); ok {
		t.Error("not forgotten")
	}
}
