package storagetest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"weir/storage"
)

func testKeyVal(t *testing.T, open Open) {
	st := opened(t, open)
	kv := storage.NewKeyVal(st, "kv")
	if _, err := kv.Get(t.Context(), "juliet@example.com"); !errors.Is(err, storage.ErrNotFound) {
		t.Fatalf("an absent record: %v", err)
	}
	commit(t, st, func(b *storage.Batch) {
		kv.Set(b, "juliet@example.com", []byte("one"))
		kv.Set(b, "romeo@example.com", nil)
		storage.NewKeyVal(st, "kv2").Set(b, "juliet@example.com", []byte("other table"))
	})
	if got, err := kv.Get(t.Context(), "juliet@example.com"); err != nil || string(got) != "one" {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := kv.Get(t.Context(), "romeo@example.com"); err != nil || got == nil || len(got) != 0 {
		t.Errorf("an empty record: %v, %v", got, err)
	}
	commit(t, st, func(b *storage.Batch) {
		kv.Set(b, "juliet@example.com", []byte("two"))
		kv.Delete(b, "romeo@example.com")
		kv.Delete(b, "nobody@example.com")
	})
	if got, err := kv.Get(t.Context(), "juliet@example.com"); err != nil || string(got) != "two" {
		t.Errorf("after replacing: %q, %v", got, err)
	}
	if _, err := kv.Get(t.Context(), "romeo@example.com"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("after deleting: %v", err)
	}
}

// all collects an account's map as key=record.
func all(t *testing.T, m storage.Map, account, from string) []string {
	t.Helper()
	var got []string
	if err := m.From(t.Context(), account, from, func(k string, rec []byte) bool {
		got = append(got, k+"="+string(rec))
		return true
	}); err != nil {
		t.Fatalf("scan: %v", err)
	}
	return got
}

func testMap(t *testing.T, open Open) {
	st := opened(t, open)
	m := storage.NewMap(st, "m")
	commit(t, st, func(b *storage.Batch) {
		for _, k := range []string{"b", "a", "", "ab", "c"} {
			m.Put(b, "juliet", k, []byte("J"+k))
			m.Put(b, "romeo", k, []byte("R"+k))
		}
	})
	if got, want := all(t, m, "juliet", ""), []string{"=J", "a=Ja", "ab=Jab", "b=Jb", "c=Jc"}; !slices.Equal(got, want) {
		t.Errorf("all: %q, want %q", got, want)
	}
	if got, want := all(t, m, "juliet", "aa"), []string{"ab=Jab", "b=Jb", "c=Jc"}; !slices.Equal(got, want) {
		t.Errorf("from aa: %q, want %q", got, want)
	}
	commit(t, st, func(b *storage.Batch) {
		m.Delete(b, "juliet", "ab")
		m.Clear(b, "romeo")
	})
	if got, err := m.Get(t.Context(), "juliet", "b"); err != nil || string(got) != "Jb" {
		t.Errorf("get: %q, %v", got, err)
	}
	if _, err := m.Get(t.Context(), "juliet", "ab"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("get deleted: %v", err)
	}
	if got := all(t, m, "romeo", ""); len(got) != 0 {
		t.Errorf("cleared, but has %q", got)
	}
	if got := all(t, m, "juliet", ""); len(got) != 4 {
		t.Errorf("the other account has %q", got)
	}
}

// entries collects the ids of a scan.
func entries(t *testing.T, scan func(fn func(uint64, []byte) bool) error) []uint64 {
	t.Helper()
	var got []uint64
	if err := scan(func(id uint64, rec []byte) bool {
		if string(rec) != fmt.Sprint("rec ", id) {
			t.Errorf("record %d is %q", id, rec)
		}
		got = append(got, id)
		return true
	}); err != nil {
		t.Fatalf("scan: %v", err)
	}
	return got
}

func testLog(t *testing.T, open Open) {
	st := opened(t, open)
	l := storage.NewLog(st, "log")
	ids := []uint64{1, 2, 255, 256, 65536, 1 << 40, math.MaxUint64 - 1}
	commit(t, st, func(b *storage.Batch) {
		for _, id := range ids {
			l.Append(b, "juliet", id, fmt.Append(nil, "rec ", id))
		}
		l.Append(b, "romeo", 7, []byte("rec 7"))
	})
	forward := func(after uint64) []uint64 {
		return entries(t, func(fn func(uint64, []byte) bool) error { return l.Scan(t.Context(), "juliet", after, fn) })
	}
	backward := func(before uint64) []uint64 {
		return entries(t, func(fn func(uint64, []byte) bool) error {
			return l.ScanReverse(t.Context(), "juliet", before, fn)
		})
	}
	if got := forward(0); !slices.Equal(got, ids) {
		t.Errorf("all: %d", got)
	}
	if got := forward(255); !slices.Equal(got, ids[3:]) {
		t.Errorf("after 255: %d", got)
	}
	if got := forward(254); !slices.Equal(got, ids[2:]) {
		t.Errorf("after 254: %d", got)
	}
	reversed := slices.Clone(ids)
	slices.Reverse(reversed)
	if got := backward(math.MaxUint64); !slices.Equal(got, reversed) {
		t.Errorf("backwards: %d", got)
	}
	if got := backward(256); !slices.Equal(got, []uint64{255, 2, 1}) {
		t.Errorf("before 256: %d", got)
	}
	commit(t, st, func(b *storage.Batch) { l.Trim(b, "juliet", 256) })
	if got := forward(0); !slices.Equal(got, ids[4:]) {
		t.Errorf("after trimming up to 256: %d", got)
	}
	commit(t, st, func(b *storage.Batch) { l.Delete(b, "juliet", 1<<40) })
	if got := forward(0); !slices.Equal(got, []uint64{65536, math.MaxUint64 - 1}) {
		t.Errorf("after deleting one: %d", got)
	}
	if got, err := l.Get(t.Context(), "romeo", 7); err != nil || string(got) != "rec 7" {
		t.Errorf("the other account: %q, %v", got, err)
	}
}

func testLogEnds(t *testing.T, open Open) {
	st := opened(t, open)
	l := storage.NewLog(st, "log")
	if _, _, err := l.Last(t.Context(), "juliet"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("last of an empty log: %v", err)
	}
	if err := l.Scan(t.Context(), "juliet", math.MaxUint64, nil); err != nil {
		t.Errorf("scan after the end: %v", err)
	}
	commit(t, st, func(b *storage.Batch) {
		l.Append(b, "juliet", 5, []byte("five"))
		l.Append(b, "juliet", 6, nil)
		l.Append(b, "juliett", 9, []byte("a neighbour")) // its name begins with the other's
	})
	if id, rec, err := l.Last(t.Context(), "juliet"); id != 6 || rec == nil || len(rec) != 0 || err != nil {
		t.Errorf("last: %d %q %v", id, rec, err)
	}
	commit(t, st, func(b *storage.Batch) { l.Clear(b, "juliet") })
	if _, _, err := l.Last(t.Context(), "juliet"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("last of a cleared log: %v", err)
	}
	if id, _, err := l.Last(t.Context(), "juliett"); id != 9 || err != nil {
		t.Errorf("the neighbour's last: %d %v", id, err)
	}
}

// odd are names that an encoding of keys could mix up.
func odd() []string {
	return []string{"", "\x00", "\x00\x00", "\x00\x01", "\x00\xff", "\x01", "a", "a\x00", "a\x00\x01", "a\x00\xff", "a\x01",
		"a\xff", "aa", "ab", "b", "\xff", "\xff\xff", "ü@exämple", strings.Repeat("x", 3000)}
}

func testAnyBytes(t *testing.T, open Open) {
	st := opened(t, open)
	names := odd()
	slices.Sort(names)
	for _, table := range []string{"t", "t\x00", "t\x00\x01", "tt"} {
		m := storage.NewMap(st, table)
		commit(t, st, func(b *storage.Batch) {
			for _, account := range names {
				for _, item := range names {
					m.Put(b, account, item, fmt.Append(nil, table, "|", account, "|", item))
				}
			}
		})
	}
	for _, account := range names {
		var got []string
		m := storage.NewMap(st, "t\x00")
		if err := m.All(t.Context(), account, func(k string, rec []byte) bool {
			if string(rec) != "t\x00|"+account+"|"+k {
				t.Errorf("account %q, key %.20q has %.40q", account, k, rec)
			}
			got = append(got, k)
			return true
		}); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, names) {
			t.Errorf("account %.20q has the keys %.20q", account, got)
		}
	}
}

func testAccounts(t *testing.T, open Open) {
	st := opened(t, open)
	names := odd()
	slices.Sort(names)
	m, l := storage.NewMap(st, "m"), storage.NewLog(st, "m")
	commit(t, st, func(b *storage.Batch) {
		for _, a := range names {
			m.Put(b, a, "1", nil)
			m.Put(b, a, "2", nil)
		}
		l.Append(b, "only in the log", 1, nil)
		storage.NewMap(st, "m2").Put(b, "another table", "", nil)
	})
	list := func(tb storage.Table, after string, limit int) (got []string) {
		t.Helper()
		if err := tb.Accounts(t.Context(), st, after, func(a string) bool {
			got = append(got, a)
			return len(got) < limit
		}); err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := list(m.Table(), "", 100); !slices.Equal(got, names) {
		t.Errorf("accounts: %.20q", got)
	}
	for i, a := range names[1:] {
		if got := list(m.Table(), a, 100); !slices.Equal(got, names[i+2:]) {
			t.Errorf("accounts after %.20q: %.20q", a, got)
		}
	}
	if got := list(m.Table(), "a\x00\x00", 2); !slices.Equal(got, []string{"a\x00\x01", "a\x00\xff"}) {
		t.Errorf("two accounts after one that isn't there: %q", got)
	}
	if got := list(l.Table(), "", 100); !slices.Equal(got, []string{"only in the log"}) {
		t.Errorf("accounts of the log: %q", got)
	}
	if got := list(storage.NewKeyVal(st, "m").Table(), "", 100); len(got) != 0 {
		t.Errorf("accounts of an empty table: %q", got)
	}
}

func testDeleteAccount(t *testing.T, open Open) {
	st := opened(t, open)
	kv, m, l := storage.NewKeyVal(st, "x"), storage.NewMap(st, "x"), storage.NewLog(st, "x")
	kept := storage.NewMap(st, "kept")
	accounts := []string{"julie", "juliet", "juliet\x00", "juliett"}
	commit(t, st, func(b *storage.Batch) {
		for _, a := range accounts {
			kv.Set(b, a, []byte("1"))
			for i := range 5 {
				m.Put(b, a, fmt.Sprint(i), []byte("2"))
				l.Append(b, a, uint64(i), []byte("3"))
			}
			kept.Put(b, a, "", nil)
		}
	})
	commit(t, st, func(b *storage.Batch) {
		storage.DeleteAccount(b, "juliet", kv.Table(), m.Table(), l.Table())
	})
	for _, tb := range []storage.Table{kv.Table(), m.Table(), l.Table()} {
		var got []string
		if err := tb.Accounts(t.Context(), st, "", func(a string) bool { got = append(got, a); return true }); err != nil {
			t.Fatal(err)
		}
		if want := []string{"julie", "juliet\x00", "juliett"}; !slices.Equal(got, want) {
			t.Errorf("%c has %q left", tb.Kind, got)
		}
	}
	if _, err := kept.Get(t.Context(), "juliet", ""); err != nil {
		t.Errorf("a table that was not named: %v", err)
	}
}
