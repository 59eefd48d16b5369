package pebble

import (
	"bytes"
	"cmp"
	"errors"
	"strings"
	"testing"

	"weir/storage"

	"pgregory.net/rapid"
)

// anyString draws strings full of the bytes that the encoding treats specially.
func anyString() *rapid.Generator[string] {
	b := rapid.OneOf(rapid.SampledFrom([]byte{0x00, 0x01, 0x02, 0xFE, 0xFF, 'a'}), rapid.Byte())
	return rapid.Custom(func(t *rapid.T) string { return string(rapid.SliceOfN(b, 0, 6).Draw(t, "bytes")) })
}

func anyKey() *rapid.Generator[storage.Key] {
	return rapid.Custom(func(t *rapid.T) storage.Key {
		return storage.Key{
			Kind:    rapid.SampledFrom([]storage.Kind{storage.KindKeyVal, storage.KindMap, storage.KindLog}).Draw(t, "kind"),
			Table:   anyString().Draw(t, "table"),
			Account: anyString().Draw(t, "account"),
			Item:    anyString().Draw(t, "item"),
		}
	})
}

func compareKeys(a, b storage.Key) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), strings.Compare(a.Table, b.Table),
		strings.Compare(a.Account, b.Account), strings.Compare(a.Item, b.Item))
}

func TestKeysKeepTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyKey().Draw(t, "a"), anyKey().Draw(t, "b")
		if rapid.Bool().Draw(t, "near") { // two keys of one account or one table
			b.Kind, b.Table = a.Kind, a.Table
			if rapid.Bool().Draw(t, "nearer") {
				b.Account = a.Account
			}
		}
		if got, want := bytes.Compare(appendKey(nil, &a), appendKey(nil, &b)), compareKeys(a, b); got != want {
			t.Fatalf("encoded %d, want %d", got, want)
		}
	})
}

func TestKeysDecode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := anyKey().Draw(t, "key")
		if got, err := decodeKey(appendKey(nil, &k)); err != nil || got != k {
			t.Fatalf("got %+v, %v", got, err)
		}
	})
}

func TestPrefixRangesAreExact(t *testing.T) {
	in := func(key, prefix []byte) bool {
		return bytes.Compare(key, prefix) >= 0 && bytes.Compare(key, endOf(bytes.Clone(prefix))) < 0
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyKey().Draw(t, "a"), anyKey().Draw(t, "b")
		if rapid.Bool().Draw(t, "near") {
			b.Kind, b.Table, b.Account = a.Kind, a.Table, a.Account+anyString().Draw(t, "more")
		}
		key := appendKey(nil, &b)
		if got, want := in(key, appendPrefix(nil, &a)), account(a) == account(b); got != want {
			t.Fatalf("in the account's range: %v, want %v", got, want)
		}
		if got, want := in(key, appendTable(nil, a.Kind, a.Table)), a.Kind == b.Kind && a.Table == b.Table; got != want {
			t.Fatalf("in the table's range: %v, want %v", got, want)
		}
		if bytes.Compare(key, formatKey) <= 0 {
			t.Fatal("a record sorts among the driver's own")
		}
	})
}

func account(k storage.Key) storage.Key {
	k.Item = ""
	return k
}

func FuzzDecodeKey(f *testing.F) {
	f.Add([]byte("k\x00\x01\x00\x01"))
	f.Add([]byte("mt\x00\xffx\x00\x01acc\x00\x01item\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := decodeKey(b)
		if err != nil {
			if !errors.Is(err, errBadKey) {
				t.Errorf("error %v", err)
			}
			return
		}
		if again := appendKey(nil, &k); !bytes.Equal(again, b) {
			t.Errorf("%q became %q", b, again)
		}
	})
}
