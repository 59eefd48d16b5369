package pebble

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"

	"weir/storage"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// folder is what a store's folder holds.
type folder map[string][]byte

// readFolder reads a store's folder out of a file system.
func readFolder(t *testing.T, fsys vfs.FS, dir string) folder {
	t.Helper()
	names, err := fsys.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := folder{}
	for _, name := range names {
		if name == "LOCK" || name == reserveName {
			continue
		}
		f, err := fsys.Open(path.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if out[name], err = io.ReadAll(f); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	return out
}

// with returns the files with one of them changed; nil removes it.
func (f folder) with(name string, data []byte) folder {
	out := folder{}
	for n, d := range f {
		if n != name {
			out[n] = d
		} else if data != nil {
			out[n] = data
		}
	}
	return out
}

// fs returns a file system that holds the folder as "store".
func (f folder) fs(t *testing.T) vfs.FS {
	t.Helper()
	mem := vfs.NewMem()
	if err := mem.MkdirAll("store", 0o700); err != nil {
		t.Fatal(err)
	}
	for name, data := range f {
		w, err := mem.Create("store/"+name, vfs.WriteCategoryUnspecified)
		if err == nil {
			_, err = w.Write(bytes.Clone(data)) // Pebble scribbles over it with the race detector
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return mem
}

// everyKind returns a store that was closed with all kinds of file in its folder, and its contents.
func everyKind(t *testing.T, d Durability) (folder, string) {
	t.Helper()
	mem := vfs.NewMem()
	o := Options{Dir: "store", FS: mem, Durability: d, MemTable: 64 << 10, MinFree: -1}
	for life := range 2 {
		st := open(t, o)
		for n := 1; n <= 150; n++ {
			if err := storage.Commit(t.Context(), st, batchOf(st, life*150+n, 2)); err != nil {
				t.Fatal(err)
			}
		}
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	}
	f := readFolder(t, mem, "store")
	st := open(t, o)
	want := dump(t, st)
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	return f, want
}

// dump returns all that a test's store holds, or what a read answered.
func dump(t *testing.T, st *Store) string {
	t.Helper()
	var b strings.Builder
	for p := range 2 {
		err := storage.NewLog(st, fmt.Sprint("part", p)).Scan(t.Context(), "a", 0, func(id uint64, rec []byte) bool {
			fmt.Fprintf(&b, "%d %d %s\n", p, id, rec)
			return true
		})
		if err != nil {
			fmt.Fprintf(&b, "error: %v\n", err)
		}
	}
	return b.String()
}

// harm is one way to change a file.
type harm struct {
	name string
	data []byte
}

// harms returns ways to change a file: a byte flipped in many places, cut off, gone.
func harms(data []byte, rng *rand.Rand) []harm {
	out := []harm{{"removed", nil}, {"emptied", []byte{}}}
	places := []int{0, len(data) / 2, len(data) - 1, len(data) - 20}
	for range 3 {
		places = append(places, rng.IntN(max(len(data), 1)))
	}
	for _, at := range places {
		if at < 0 || at >= len(data) {
			continue
		}
		flipped := bytes.Clone(data)
		flipped[at] ^= byte(1 << rng.IntN(8))
		out = append(out, harm{fmt.Sprint("flipped at ", at), flipped}, harm{fmt.Sprint("cut at ", at), data[:at:at]})
	}
	return out
}

// kindName is the kind of a file, for counting.
func kindName(name string) string {
	for _, k := range []string{"MANIFEST", "OPTIONS", "marker.manifest", "marker.format"} {
		if strings.HasPrefix(name, k) {
			return k
		}
	}
	return path.Ext(name)
}

// TestCheckFindsDamage harms each file in many ways. Check says so and names
// it, or nothing is lost; it never panics and changes nothing. Of a store that
// was killed the end of the log and of the manifest may be missing: then it says that.
func TestCheckFindsDamage(t *testing.T) {
	for _, d := range []Durability{Disk, Process} {
		for _, killed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/killed=%v", d, killed), func(t *testing.T) {
				t.Parallel()
				files, want := everyKind(t, d)
				if killed {
					delete(files, closedName)
				}
				rng := rand.New(rand.NewPCG(1, 1))
				found, harmless := map[string]int{}, map[string]int{}
				for _, name := range slices.Sorted(maps.Keys(files)) {
					for _, h := range harms(files[name], rng) {
						if named(t, files.with(name, h.data), d, name, h, want) {
							found[kindName(name)]++
						} else {
							harmless[kindName(name)]++
						}
					}
				}
				t.Logf("found: %v; nothing was lost: %v", found, harmless)
				for _, kind := range []string{".sst", ".blob", ".log", "MANIFEST", "marker.manifest"} {
					if found[kind] == 0 || !killed && harmless[kind] > 0 && kind != "marker.manifest" { // which is empty anyway
						t.Errorf("damage of %s files: found %d times, not found %d times", kind, found[kind], harmless[kind])
					}
				}
			})
		}
	}
}

// named checks one harmed folder: true if the harm is told and the file named,
// false if nothing is lost.
func named(t *testing.T, f folder, d Durability, name string, h harm, want string) bool {
	t.Helper()
	what := h.name
	o := Options{Dir: "store", FS: f.fs(t), Durability: d, MinFree: -1}
	r, err := Check(t.Context(), o)
	if got := readFolder(t, o.FS, "store"); !maps.EqualFunc(got, f, bytes.Equal) {
		t.Errorf("%s %s: the check changed the folder", name, what)
	}
	told := strings.Join(append(append([]string{}, r.Damage...), r.Notes...), "\n")
	if err != nil {
		told += err.Error()
	}
	if err != nil && strings.Contains(told, fileNumber(name)) {
		return true
	}
	_, closed := f[closedName]
	if err != nil {
		if closed || kindOf(name) == table || kindOf(name) == blob && h.data != nil {
			t.Errorf("%s %s: the file is not named: %s", name, what, told)
		}
		return true
	}
	st, err := Open(o)
	if err != nil {
		t.Errorf("%s %s: the check found nothing and it can't be opened: %v", name, what, err)
		return false
	}
	got := dump(t, st)
	_ = st.Close()
	if got != want && !(strings.Contains(told, "was not closed") && (kindOf(name) == wal || kindName(name) == "MANIFEST")) {
		t.Errorf("%s %s: records are lost and the check says only %q", name, what, told)
	}
	return got != want
}

// fileNumber is what a message has to contain to name the file.
func fileNumber(name string) string {
	if strings.HasPrefix(name, "marker") {
		return "marker"
	}
	return strings.TrimSuffix(name, path.Ext(name))
}
