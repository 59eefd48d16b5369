package auth

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/storage"
	"weir/storage/pebble"
)

// apart are options with the key in a file, and where they log to.
func apart(t *testing.T) (Options, *bytes.Buffer) {
	t.Helper()
	o := cheap()
	o.KeyFile = filepath.Join(t.TempDir(), "secrets", "tokens")
	log := new(bytes.Buffer)
	o.Log = slog.New(slog.NewTextHandler(log, nil))
	return o, log
}

// again starts a service on a store that has been in use.
func again(t *testing.T, o Options, st storage.Store) *Service {
	t.Helper()
	s, err := New(t.Context(), o, st)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// serverOf returns what the store has of the server's secrets.
func serverOf(t *testing.T, st storage.Store) *serverRecord {
	t.Helper()
	b, err := storage.NewKeyVal(st, tableServer).Get(t.Context(), serverAccount)
	if err != nil {
		t.Fatal(err)
	}
	r, err := decodeServer(b)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The key is in a file for its owner only, and not in the store; the file is enough
// to go on, and what comes of names doesn't need it.
func TestKeyInFile(t *testing.T) {
	o, log := apart(t)
	s, st := newService(t, o)
	tok := byPassword(t, s, someAgent, none)
	fi, err := os.Stat(o.KeyFile)
	if err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", fi, err)
	}
	if fi, err := os.Stat(filepath.Dir(o.KeyFile)); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", fi, err)
	}
	if r := serverOf(t, st); r.key != nil || r.names == nil || bytes.Equal(r.names, s.key) {
		t.Error("the store has the key")
	}
	s = again(t, o, st)
	if _, err := uses(t, s, tok.Value, TokenUse{}); err != nil || log.Len() > 0 {
		t.Errorf("%v, log: %s", err, log)
	}
	if _, err := New(t.Context(), cheap(), st); err == nil {
		t.Error("a service without the file goes on")
	}
}

// A key that was lost, or another in its place, is the end of all tokens and of
// nothing else.
func TestKeyLost(t *testing.T) {
	for _, migrated := range []bool{false, true} {
		o, log := apart(t)
		first := o
		if migrated {
			first.KeyFile = ""
		}
		s, st := newService(t, first)
		tok := byPassword(t, s, someAgent, none)
		s = again(t, o, st)
		salt, id := s.falseKeys(sha256Algorithm, "nobody").salt, s.DeviceID(juliet(), someAgent.ID)
		log.Reset()
		if err := os.Remove(o.KeyFile); err != nil {
			t.Fatal(err)
		}
		s = again(t, o, st)
		if all, err := s.Devices(t.Context(), juliet()); err != nil || len(all) != 0 {
			t.Errorf("%+v stay, %v", all, err)
		}
		_, err := uses(t, s, tok.Value, TokenUse{})
		wantFailure(t, "a token of the lost key", err, "not-authorized", true)
		if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "every device needs its password once") {
			t.Errorf("the log: %s", log)
		}
		// With a store that never had the key names stay as they were.
		if same := bytes.Equal(s.falseKeys(sha256Algorithm, "nobody").salt, salt) && s.DeviceID(juliet(), someAgent.ID) == id; same == migrated {
			t.Errorf("migrated %v: names are the same: %v", migrated, same)
		}
		tok = byPassword(t, s, someAgent, none)
		log.Reset()
		s = again(t, o, st)
		if _, err := uses(t, s, tok.Value, TokenUse{}); err != nil || log.Len() > 0 {
			t.Errorf("with the new key: %v, log: %s", err, log)
		}
	}
}

// A store from before has its key moved out: tokens, salts and names of devices
// stay. A kill leaves one of the states below, and each ends the same.
func TestKeyMovedOut(t *testing.T) {
	for _, c := range []struct {
		name  string
		state func(t *testing.T, o Options, st *memory, key secret)
	}{
		{"in one go", func(*testing.T, Options, *memory, secret) {}},
		{"killed while the file was written", func(t *testing.T, o Options, _ *memory, _ secret) {
			if err := os.MkdirAll(filepath.Dir(o.KeyFile), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(o.KeyFile+".new", []byte(keyMark[:5]), 0o644); err != nil {
				t.Fatal(err)
			}
		}},
		{"killed before the store forgot", func(t *testing.T, o Options, st *memory, _ secret) {
			st.onCommit = func() error { return errors.New("killed") }
			if _, err := New(t.Context(), o, st); err == nil {
				t.Fatal("not killed")
			}
			if _, err := os.Stat(o.KeyFile); err != nil {
				t.Error("the store was to forget the key before it was in the file")
			}
			if r := serverOf(t, st); r.key == nil {
				t.Error("the store has forgotten already")
			}
			st.onCommit = nil
		}},
		{"killed before the files were clean", func(t *testing.T, o Options, st *memory, _ secret) {
			st.onScrub = func() error { return errors.New("killed") }
			if _, err := New(t.Context(), o, st); err == nil {
				t.Fatal("not killed")
			}
			if r := serverOf(t, st); r.key != nil || !r.moved {
				t.Error("the next start wouldn't go on")
			}
			st.onScrub = nil
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, log := apart(t)
			before := o
			before.KeyFile = ""
			s, st := newService(t, before)
			tok := byPassword(t, s, someAgent, none)
			salt := s.falseKeys(sha256Algorithm, "nobody").salt
			c.state(t, o, st, s.key)
			scrubs := st.scrubs
			s = again(t, o, st)
			if r := serverOf(t, st); r.key != nil || r.moved || st.scrubs != scrubs+1 {
				t.Errorf("the store has the key: %v, files cleaned %d times", r.key != nil, st.scrubs-scrubs)
			}
			if _, err := uses(t, s, tok.Value, TokenUse{}); err != nil {
				t.Error(err)
			}
			if !bytes.Equal(s.falseKeys(sha256Algorithm, "nobody").salt, salt) {
				t.Error("salts have changed")
			}
			if left, err := filepath.Glob(filepath.Join(filepath.Dir(o.KeyFile), "*.new")); err != nil || len(left) > 0 {
				t.Errorf("%v is left, %v", left, err)
			}
			if fi, err := os.Stat(o.KeyFile); err != nil || fi.Mode().Perm() != 0o600 {
				t.Errorf("%v, %v", fi, err)
			}
			if n := strings.Count(log.String(), "moved out of the store"); n != 1 {
				t.Errorf("log: %s", log)
			}
			again(t, o, st)
			if st.scrubs != scrubs+1 {
				t.Error("it is done each time")
			}
		})
	}
}

// A store from before comes to where another key is: that one counts, and the old
// one is no key any more.
func TestKeyOfAnother(t *testing.T) {
	o, log := apart(t)
	before := o
	before.KeyFile = ""
	s, st := newService(t, before)
	tok, salt := byPassword(t, s, someAgent, none), s.falseKeys(sha256Algorithm, "nobody").salt
	if err := keyFile(o.KeyFile).write(newSecret()); err != nil {
		t.Fatal(err)
	}
	s = again(t, o, st)
	_, err := uses(t, s, tok.Value, TokenUse{})
	wantFailure(t, "a token of the old key", err, "not-authorized", true)
	if !bytes.Equal(s.falseKeys(sha256Algorithm, "nobody").salt, salt) || !strings.Contains(log.String(), "every device") {
		t.Errorf("log: %s", log)
	}
}

// A kill while devices of a lost key are forgotten leaves them to the next start.
func TestKeyLostAndKilled(t *testing.T) {
	o, _ := apart(t)
	s, st := newService(t, o)
	byPassword(t, s, someAgent, none)
	if err := os.Remove(o.KeyFile); err != nil {
		t.Fatal(err)
	}
	st.onCommit = func() error { return errors.New("killed") }
	if _, err := New(t.Context(), o, st); err == nil {
		t.Fatal("not killed")
	}
	st.onCommit = nil
	s = again(t, o, st)
	if all, err := s.Devices(t.Context(), juliet()); err != nil || len(all) != 0 {
		t.Errorf("%+v stay, %v", all, err)
	}
}

// A file that can't be right stops the start and says what to do; one that others may
// read is told in the log.
func TestKeyFileWrong(t *testing.T) {
	good := func(t *testing.T, o Options) []byte {
		t.Helper()
		if err := keyFile(o.KeyFile).write(newSecret()); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(o.KeyFile)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, change := range map[string]func([]byte) []byte{
		"empty":    func([]byte) []byte { return nil },
		"cut":      func(b []byte) []byte { return b[:len(b)-1] },
		"longer":   func(b []byte) []byte { return append(b, '\n') },
		"of zeros": func(b []byte) []byte { return make([]byte, len(b)) },
		"short":    func(b []byte) []byte { return append(b[:len(keyMark)+4], '\n') },
		"large":    func(b []byte) []byte { return bytes.Repeat(b, 1000) },
		"unmarked": func(b []byte) []byte { return b[len(keyMark):] },
	} {
		o, _ := apart(t)
		if err := os.WriteFile(o.KeyFile, change(good(t, o)), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := CheckKeyFile(o.KeyFile); err == nil || errors.Is(err, ErrKeyFileOpen) {
			t.Errorf("%s: checked: %v", name, err)
		}
		if _, err := New(t.Context(), o, newMemory(t)); err == nil || !strings.Contains(err.Error(), o.KeyFile) || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%s: %v", name, err)
		}
	}
	o, log := apart(t)
	if err := CheckKeyFile(o.KeyFile); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("none: %v", err)
	}
	good(t, o)
	if err := CheckKeyFile(o.KeyFile); err != nil {
		t.Error(err)
	}
	if err := os.Chmod(o.KeyFile, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := CheckKeyFile(o.KeyFile); !errors.Is(err, ErrKeyFileOpen) {
		t.Errorf("readable for others: %v", err)
	}
	again(t, o, newMemory(t))
	if !strings.Contains(log.String(), "chmod 600") || !strings.Contains(log.String(), "0640") {
		t.Errorf("log: %s", log)
	}
	o, _ = apart(t)
	if err := os.MkdirAll(o.KeyFile, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := New(t.Context(), o, newMemory(t)); err == nil {
		t.Error("a folder is a key")
	}
	o, _ = apart(t)
	if err := os.WriteFile(filepath.Dir(o.KeyFile), nil, 0o600); err != nil { // no folder can be there
		t.Fatal(err)
	}
	if _, err := New(t.Context(), o, newMemory(t)); err == nil {
		t.Error("it went on without a file")
	}
}

// After the move no file of the store has the key: neither of the copies that
// overwriting leaves.
func TestKeyLeavesNoTrace(t *testing.T) {
	o, _ := apart(t)
	dir := filepath.Join(t.TempDir(), "store")
	var key secret
	for _, file := range []string{"", "", o.KeyFile} { // twice: it is in a log first, in a table then
		st, err := pebble.Open(pebble.Options{Dir: dir, MinFree: -1})
		if err != nil {
			t.Fatal(err)
		}
		now := o
		now.KeyFile = file
		key = again(t, now, st).key
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
		if has := holds(t, dir, key); has != (file == "") {
			t.Errorf("with the file %q: the store's files have the key: %v", file, has)
		}
	}
}

// holds reports whether a file in a folder has those bytes.
func holds(t *testing.T, dir string, what []byte) (has bool) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		has = has || bytes.Contains(b, what)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return has
}

// Scrub implements scrubber.
func (m *memory) Scrub(ctx context.Context, t storage.Table) error {
	m.scrubs++
	if m.onScrub != nil {
		return m.onScrub()
	}
	return m.Store.(scrubber).Scrub(ctx, t)
}
