package pebble

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/storage"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"
)

// filledBatches are more than a memtable of 64 KiB and less than the first of a default store.
const filledBatches = 250

// filled makes a store with a few tables on disk and returns its folder.
func filled(t *testing.T) string {
	t.Helper()
	return filledWith(t, 64<<10)
}

func filledWith(t *testing.T, memTable int64) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "store")
	st := open(t, Options{Dir: dir, MemTable: memTable, MinFree: -1})
	for n := 1; n <= filledBatches; n++ {
		if err := storage.Commit(t.Context(), st, batchOf(st, n, 2)); err != nil {
			t.Fatal(err)
		}
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func wantError(t *testing.T, err error, is error, says ...string) {
	t.Helper()
	if !errors.Is(err, is) {
		t.Fatalf("got %v, want %v", err, is)
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("%q does not say %q", err, s)
		}
	}
}

func TestOptionsThatCantBe(t *testing.T) {
	for _, o := range []Options{{}, {Dir: "x", Durability: "maybe"}, {Dir: "x", CacheBytes: -1}, {Dir: "x", MemTable: 1}, {Dir: "x", MemTable: 1 << 40}} {
		o.FS = vfs.NewMem()
		if st, err := Open(o); err == nil {
			t.Errorf("%+v opened: %v", o, st.Close())
		}
		if _, err := Check(t.Context(), o); err == nil {
			t.Errorf("%+v checked", o)
		}
	}
}

func TestFolderIsPrivate(t *testing.T) {
	fi, err := os.Stat(filled(t))
	if err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("the folder is %v, %v", fi.Mode(), err)
	}
}

func TestLocked(t *testing.T) {
	dir := filled(t)
	st := open(t, Options{Dir: dir})
	defer st.Close()
	_, err := Open(Options{Dir: dir})
	wantError(t, err, storage.ErrLocked, dir, "stop it first")
	_, err = Check(t.Context(), Options{Dir: dir})
	wantError(t, err, storage.ErrLocked, dir)
}

// TestLockedByAnotherProcess: the lock holds between processes.
func TestLockedByAnotherProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	refused := 0
	killing(t, Disk, dir, func(n int) (stop bool) {
		if n == 20 {
			_, err := Open(Options{Dir: dir})
			wantError(t, err, storage.ErrLocked, dir)
			refused++
		}
		return n > 20
	})
	if refused != 1 {
		t.Error("Open was not tried")
	}
}

func TestNoAccess(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(Options{Dir: filepath.Join(file, "store")})
	if err == nil || errors.Is(err, storage.ErrLocked) || !strings.Contains(err.Error(), file) {
		t.Errorf("got %v", err)
	}
}

func TestNewerFormat(t *testing.T) {
	dir := filled(t)
	db, err := pebble.Open(dir, &pebble.Options{Logger: &logger{log: slog.New(slog.DiscardHandler)}})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Set(formatKey, []byte("7"), pebble.Sync), db.Close()); err != nil {
		t.Fatal(err)
	}
	remove(t, filepath.Join(dir, closedName))
	_, err = Open(Options{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "version 7") || !strings.Contains(err.Error(), "newer weir") {
		t.Errorf("open: %v", err)
	}
	if _, err := Check(t.Context(), Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "version 7") {
		t.Errorf("check: %v", err)
	}
	if _, err := Open(Options{Dir: dir}); err == nil || errors.Is(err, storage.ErrLocked) {
		t.Errorf("the refused store is still locked: %v", err)
	}
}

func TestNotOurs(t *testing.T) {
	mem := vfs.NewMem()
	db, err := pebble.Open("x", &pebble.Options{FS: mem, Logger: &logger{log: slog.New(slog.DiscardHandler)}})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Set([]byte("theirs"), nil, pebble.Sync), db.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: "x", FS: mem}); err == nil || !strings.Contains(err.Error(), "not weir's") {
		t.Errorf("open: %v", err)
	}
}

func TestMigrations(t *testing.T) {
	db, err := pebble.Open("x", &pebble.Options{FS: vfs.NewMem(), Logger: &logger{log: slog.New(slog.DiscardHandler)}})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var ran []int
	step := func(v int, err error) migration {
		return func(_ *pebble.DB, b *pebble.Batch) error {
			ran = append(ran, v)
			return errors.Join(b.Set(fmt.Appendf(nil, "m%d", v), nil, nil), err)
		}
	}
	broken := errors.New("broken")
	for _, tt := range []struct {
		want  int
		table map[int]migration
		err   string
		ran   string
		now   int
	}{
		{1, nil, "", "[]", 1},
		{1, nil, "", "[]", 1},
		{3, map[int]migration{1: step(1, nil), 2: step(2, broken)}, "broken", "[1 2]", 2},
		{3, map[int]migration{1: step(1, nil)}, "can't migrate", "[]", 2},
		{4, map[int]migration{1: step(1, nil), 2: step(2, nil), 3: step(3, nil)}, "", "[2 3]", 4},
		{3, nil, "newer weir", "[]", 4},
	} {
		ran = nil
		_, err := bringToFormat(db, tt.want, tt.table)
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("to %d: %v", tt.want, err)
		}
		if fmt.Sprint(ran) != tt.ran {
			t.Errorf("to %d: ran %v", tt.want, ran)
		}
		if v, err := readFormat(db); v != tt.now || err != nil {
			t.Errorf("to %d: is now %d, %v", tt.want, v, err)
		}
	}
}

func TestDamage(t *testing.T) {
	for _, c := range []struct {
		name    string
		do      func(t *testing.T, dir string)
		mem     int64
		opens   bool // or not: the damage may be found by reading only
		mention string
	}{
		{"table", func(t *testing.T, dir string) { flip(t, newest(t, dir, "*.sst"), 300) }, 64 << 10, true, ".sst"},
		{"table missing", func(t *testing.T, dir string) { remove(t, newest(t, dir, "*.sst")) }, 64 << 10, false, "sst"},
		{"manifest", func(t *testing.T, dir string) { flip(t, newest(t, dir, "MANIFEST-*"), 30) }, 64 << 10, false, ""},
		{"manifest missing", func(t *testing.T, dir string) { remove(t, newest(t, dir, "MANIFEST-*")) }, 64 << 10, false, "MANIFEST"},
		// In the last 32 KiB of a log damage can't be told from a torn end.
		{"log", func(t *testing.T, dir string) { flip(t, newest(t, dir, "*.log"), 100) }, 4 << 20, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filledWith(t, c.mem)
			if r, err := Check(t.Context(), Options{Dir: dir}); err != nil {
				t.Fatalf("before: %v %+v", err, r)
			}
			c.do(t, dir)
			r, err := Check(t.Context(), Options{Dir: dir})
			wantError(t, err, storage.ErrFailed, dir, c.mention)
			if len(r.Damage) == 0 {
				t.Error("no damage is named")
			}
			st, err := Open(Options{Dir: dir})
			if !c.opens || err != nil {
				wantError(t, err, storage.ErrFailed, dir, "weir check store", "backup")
				return
			}
			for p := range 2 {
				_ = storage.NewLog(st, fmt.Sprint("part", p)).Scan(t.Context(), "a", 0, func(uint64, []byte) bool { return true })
			}
			wantError(t, st.Err(), storage.ErrFailed, dir, c.mention)
			wantError(t, storage.Commit(t.Context(), st, batchOf(st, 1, 1)), storage.ErrFailed)
			wantError(t, st.Close(), storage.ErrFailed)
		})
	}
}

func TestCheckCounts(t *testing.T) {
	dir := filled(t)
	r, err := Check(t.Context(), Options{Dir: dir})
	if err != nil || r.Format != formatVersion || r.Files == 0 || len(r.Tables) != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	for i, tb := range r.Tables {
		if tb.Name != fmt.Sprint("part", i) || tb.Kind != storage.KindLog || tb.Records != filledBatches || tb.Accounts != 1 || tb.Bytes < filledBatches*100 {
			t.Errorf("%+v", tb)
		}
	}
	if _, err := Check(t.Context(), Options{Dir: dir + "-not"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	if _, err := Check(t.Context(), Options{Dir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "not a store") {
		t.Errorf("an empty folder: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Check(ctx, Options{Dir: dir}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestMetricsAndSize(t *testing.T) {
	reg := prometheus.NewRegistry()
	for range 2 { // the second store registers again
		st := open(t, Options{Dir: "x", FS: vfs.NewMem(), Metrics: reg})
		if err := storage.Commit(t.Context(), st, batchOf(st, 1, 2)); err != nil {
			t.Fatal(err)
		}
		got, err := reg.Gather()
		if err != nil || len(got) != 6 {
			t.Errorf("%d metrics, %v", len(got), err)
		}
		for _, m := range got {
			if m.GetName() == "weir_storage_batches_total" && m.Metric[0].Counter.GetValue() != 1 {
				t.Errorf("%v", m)
			}
		}
		if n, err := st.Size(); n == 0 || err != nil {
			t.Errorf("size %d, %v", n, err)
		}
		if n := st.Pending(); n != 0 {
			t.Errorf("%d bytes pending", n)
		}
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
