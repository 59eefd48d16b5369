package sessionmgr

import (
	"context"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"weir/jid"
	"weir/storage"
	"weir/storage/pebble"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// allRecords returns records of every kind that this package writes.
func allRecords(t *testing.T) []storage.Op {
	t.Helper()
	st, err := pebble.Open(pebble.Options{FS: vfs.NewMem(), Dir: "data"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	h := newHouseOn(t, st)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	for range 3 {
		romeo.send(hello)
	}
	ended := h.bind("juliet@verona.lit/garden")
	ended.enable()
	ended.cut()
	h.Kick(ended.Session, Cause{Code: Expired}, nil)
	juliet := h.bind("juliet@verona.lit/balcony")
	juliet.enable()
	juliet.available(1)
	juliet.want("hello", "hello", "hello")
	romeo.send(hello)
	romeo.send("<message to='juliet@verona.lit/balcony' type='error'><body>hello</body></message>")
	juliet.cut()
	prefs := ArchivePrefs{Default: ArchiveNever, Always: []jid.JID{jid.MustParse("romeo@verona.lit")}}
	if err := h.SetArchivePrefs(context.Background(), juliet.JID().Bare(), prefs); err != nil {
		t.Fatal(err)
	}
	key, err := NewKey[string](h.Manager, "test.nick", KeyOptions{Lifetime: OfAccount})
	if err != nil {
		t.Fatal(err)
	}
	if err := key.UpdateAccount(context.Background(), jid.MustParse("nurse@verona.lit"), func(string, bool) (string, bool) { return "Angelica", true }); err != nil {
		t.Fatal(err)
	}
	h.settle()
	var all []storage.Op
	account := "juliet@verona.lit"
	for table, kind := range map[string]storage.Kind{tableLog: storage.KindLog, tableSession: storage.KindMap} {
		err := st.Scan(context.Background(), storage.Key{Kind: kind, Table: table, Account: account}, func(item string, rec []byte) bool {
			all = append(all, storage.Op{Key: storage.Key{Kind: kind, Table: table, Account: account, Item: item}, Value: append([]byte(nil), rec...)})
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, table := range []string{tableCursor, tablePrefs} {
		k := storage.Key{Kind: storage.KindKeyVal, Table: table, Account: account}
		rec, err := st.Get(context.Background(), k)
		if err != nil {
			t.Fatalf("%s: %v", table, err)
		}
		all = append(all, storage.Op{Key: k, Value: rec})
	}
	k := storage.Key{Kind: storage.KindKeyVal, Table: tableAttributes, Account: "nurse@verona.lit"}
	rec, err := st.Get(context.Background(), k)
	if err != nil {
		t.Fatalf("%s: %v", tableAttributes, err)
	}
	all = append(all, storage.Op{Key: k, Value: rec})
	return all
}

// TestCheckRecord holds that what is written can be read, and that of what is cut
// off or of another version nothing passes.
func TestCheckRecord(t *testing.T) {
	seen := map[string]bool{}
	for _, op := range allRecords(t) {
		name := op.Key.Table + " " + ItemName(op.Key.Table, op.Key.Item)
		if op.Key.Table == tableSession {
			name = op.Key.Table + " " + strings.Fields(ItemName(tableSession, op.Key.Item))[1]
		} else if op.Key.Table == tableLog {
			name = tableLog
		}
		seen[name] = true
		if err := CheckRecord(op.Key.Table, op.Key.Item, op.Value); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for n := range len(op.Value) {
			if err := CheckRecord(op.Key.Table, op.Key.Item, op.Value[:n]); err == nil && !mapOfFewer(op, n) {
				t.Errorf("%s: the first %d of %d bytes pass", name, n, len(op.Value))
			}
		}
		other := append([]byte(nil), op.Value...)
		other[0] = 99
		if err := CheckRecord(op.Key.Table, op.Key.Item, other); err == nil && name != "session map" && name != "session ended" {
			t.Errorf("%s of version 99 passes", name)
		}
	}
	for _, name := range []string{"log", `cursor ""`, `archive-prefs ""`, `attributes ""`, "session snapshot", "session numbers", "session map", "session ended"} {
		if !seen[name] {
			t.Errorf("no %s among %v", name, seen)
		}
	}
}

// mapOfFewer: a map of numbers that is cut off between two of them is one of
// fewer, which nothing in it tells.
func mapOfFewer(op storage.Op, n int) bool {
	_, kind, _, _ := splitKey(op.Key.Item)
	return op.Key.Table == tableSession && kind == keyMap && n > 4 && (n-4)%9 == 0
}

func TestCheckRecordOfOthers(t *testing.T) {
	if err := CheckRecord("roster", "x", []byte("?")); err != nil {
		t.Error(err)
	}
	for table, item := range map[string]string{tableLog: "short", tableSession: "short"} {
		if err := CheckRecord(table, item, nil); err == nil || !strings.Contains(err.Error(), "short") {
			t.Errorf("%s: %v", table, err)
		}
	}
	key := string(binary.BigEndian.AppendUint64(nil, 7))
	for item, want := range map[string]string{key + "x": "0000000000000007 kind 0x78", key + "s": "0000000000000007 snapshot", mapKey(7, 3): "0000000000000007 map 3"} {
		if got := ItemName(tableSession, item); got != want {
			t.Errorf("%q is named %s, want %s", item, got, want)
		}
	}
	if err := CheckRecord(tableSession, key+"x", nil); err == nil {
		t.Error("an unknown kind passes")
	}
	if got := ItemName(tableLog, storage.LogItem(255)); got != "00000000000000ff" {
		t.Error(got)
	}
}

// FuzzCheckRecord holds that no record makes it panic.
func FuzzCheckRecord(f *testing.F) {
	key := string(binary.BigEndian.AppendUint64(nil, 7))
	f.Add(tableLog, key, encodeRecord(nil, time.Unix(0, 0), 0, []target{{tag: 1, n: 2, live: true}}, []byte("<message/>")))
	f.Add(tableCursor, "", (&ledger{owed: []segment{{after: 1}, {tag: 3, after: 4, upTo: 5}}}).encode())
	f.Add(tableSession, key+"n", make([]byte, 35))
	f.Add(tableSession, mapKey(7, 1), make([]byte, 13))
	f.Add(tablePrefs, "", []byte(`{"default":"never"}`))
	f.Fuzz(func(t *testing.T, table, item string, rec []byte) {
		_ = CheckRecord(table, item, rec)
		_ = ItemName(table, item)
	})
}
