package auth

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/xdg-go/scram"

	"weir/jid"
)

// work is what an exchange made the server do.
type work struct {
	lookups, proofs, derivations uint64
	gets                         int
}

func (s *Service) workDone(st *memory) work {
	st.mu.Lock()
	defer st.mu.Unlock()
	return work{s.lookups.Load(), s.proofs.Load(), s.pool.done.Load(), st.gets}
}

func (w work) since(before work) work {
	return work{w.lookups - before.lookups, w.proofs - before.proofs, w.derivations - before.derivations, w.gets - before.gets}
}

// Whether a name has an account shows neither in what is said nor in the work
// that is done: not at the first try, when the store is read, nor at the second.
func TestUnknownUser(t *testing.T) {
	s, st := newService(t, cheap())
	if err := s.Create(t.Context(), jid.MustParse("disabled@"+domain), password); err != nil {
		t.Fatal(err)
	}
	if err := s.SetDisabled(t.Context(), jid.MustParse("disabled@"+domain), true); err != nil {
		t.Fatal(err)
	}
	nonce := regexp.MustCompile(`r=[^,]*,s=[^,]*`)
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-1"} {
		var seen []string
		var done []work
		for _, name := range []string{"juliet", "nobody", "disabled"} {
			s.cache = newCache()
			for range 2 {
				var said []string
				before := s.workDone(st)
				var f *Failure
				if mechanism == "PLAIN" {
					_, _, err := one(t, s, secured(), mechanism, "\x00"+name+"\x00wrong password")
					errors.As(err, &f)
				} else {
					gen := scram.SHA256
					if mechanism == "SCRAM-SHA-1" {
						gen = scram.SHA1
					}
					c := xdgClient(t, gen, name, "wrong password", nil)
					_, f = login(t, s, secured(), mechanism, func(in []byte) ([]byte, error) {
						said = append(said, nonce.ReplaceAllString(string(in), "r=…,s=…"))
						return c(in)
					})
				}
				wantFailure(t, name, f, "not-authorized", true)
				seen = append(seen, strings.Join(append(said, f.Condition, f.Text), "\n"))
				done = append(done, s.workDone(st).since(before))
			}
		}
		for i := range seen {
			if seen[i] != seen[0] {
				t.Errorf("%s: try %d was told\n%s\nand the first\n%s", mechanism, i, seen[i], seen[0])
			}
			if done[i] != done[i%2] {
				t.Errorf("%s: try %d cost %+v, an account's %+v", mechanism, i, done[i], done[i%2])
			}
		}
		if done[0].lookups != 2 || done[0].proofs+done[0].derivations != 1 || done[0].gets != 1 || done[1].gets != 0 {
			t.Errorf("%s: the work isn't counted: %+v", mechanism, done)
		}
	}
}

// salt runs the first step and returns salt and count.
func salt(t *testing.T, s *Service, mechanism, name string) (string, string) {
	t.Helper()
	_, out, err := one(t, s, secured(), mechanism, "n,,n="+name+",r=abc")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(out), ",")
	return parts[1], parts[2]
}

// The salt of an unknown name stays the same over restarts and spellings, and
// differs by name, by hash and by server.
func TestUnknownSalt(t *testing.T) {
	s, st := newService(t, cheap())
	again, err := New(t.Context(), cheap(), st)
	if err != nil {
		t.Fatal(err)
	}
	other, _ := newService(t, cheap())
	want, _ := salt(t, s, "SCRAM-SHA-256", "nobody")
	known, _ := salt(t, s, "SCRAM-SHA-256", "juliet")
	if len(want) != len(known) {
		t.Errorf("an unknown name's salt is %s, a known one's %s", want, known)
	}
	for _, test := range []struct {
		s               *Service
		mechanism, name string
		same            bool
	}{
		{s, "SCRAM-SHA-256", "nobody", true},
		{s, "SCRAM-SHA-256", "NoBody", true},
		{again, "SCRAM-SHA-256", "nobody", true},
		{s, "SCRAM-SHA-1", "nobody", false},
		{s, "SCRAM-SHA-256", "nobody2", false},
		{s, "SCRAM-SHA-256", "not a name", false},
		{other, "SCRAM-SHA-256", "nobody", false},
	} {
		if got, _ := salt(t, test.s, test.mechanism, test.name); (got == want) != test.same {
			t.Errorf("%s %s: the salt is the same: %v", test.mechanism, test.name, got == want)
		}
	}
}

// After a change of the setting, accounts keep their old count: so must some of
// the unknown names, each of them always the same, and none may go back.
func TestUnknownCount(t *testing.T) {
	s, st := newService(t, cheap())
	_, old := salt(t, s, "SCRAM-SHA-256", "juliet")
	before := s
	o := cheap()
	o.Iterations = 5000
	s, err := New(t.Context(), o, st)
	if err != nil {
		t.Fatal(err)
	}
	if _, now := salt(t, s, "SCRAM-SHA-256", "juliet"); now != old {
		t.Errorf("an account's count went from %s to %s", old, now)
	}
	got := make(map[string]int)
	for i := range 100 {
		name := "nobody" + strings.Repeat("x", i)
		_, n := salt(t, s, "SCRAM-SHA-256", name)
		if _, again := salt(t, s, "SCRAM-SHA-256", name); again != n {
			t.Errorf("%s: count %s, then %s", name, n, again)
		}
		was, _ := salt(t, before, "SCRAM-SHA-256", name)
		if now, _ := salt(t, s, "SCRAM-SHA-256", name); (now == was) != (n == old) {
			t.Errorf("%s: a new count is %v, a new salt %v", name, n != old, now != was)
		}
		got[n]++
	}
	if len(got) != 2 || got[old] < 20 || got["i=5000"] < 20 {
		t.Errorf("counts of unknown names: %v", got)
	}
	if _, n := salt(t, s, "SCRAM-SHA-1", "nobody"); n != "i=4096" {
		t.Errorf("the other hash has %s", n)
	}
}

func TestCounts(t *testing.T) {
	c := make(counts)
	for i := range uint32(countsKept + 5) {
		c.note(1, i)
		c.note(1, i)
	}
	c.note(2, 7)
	if len(c[1]) != countsKept || c[1][0] != 5 || len(c[2]) != 1 {
		t.Errorf("kept %v", c)
	}
	for _, r := range []serverRecord{
		{key: make(secret, secretLength)}, {}, {names: make(secret, secretLength), id: [8]byte{7}}, {moved: true},
	} {
		r.counts = c
		b := r.encode()
		got, err := decodeServer(b)
		if err != nil || len(got.counts[1]) != countsKept || got.counts[2][0] != 7 || !bytes.Equal(got.encode(), b) {
			t.Errorf("read %v, %v", got, err)
		}
		for _, bad := range [][]byte{nil, b[:1], b[:9], b[:len(b)-1], append(bytes.Clone(b), 0), append([]byte{9}, b[1:]...), append([]byte{2, 4}, b[2:]...)} {
			if _, err := decodeServer(bad); err == nil {
				t.Errorf("% x was accepted", bad)
			}
		}
	}
}
