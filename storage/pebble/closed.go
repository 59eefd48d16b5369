package pebble

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Pebble forgives a manifest or a log that ends early, because that is how a power
// cut leaves them, and doesn't miss a log that is gone: with them go the newest records. A
// store that was closed has no such excuse. So Close leaves a list of the files
// behind, with their sizes and, where Pebble's own checksums don't help, a
// checksum. The next Open and Check compare; Open removes it before it changes anything.
const closedName = "CLOSED"

// listEnd begins the last line of the list, the checksum of those before.
const listEnd = "end "

// closedFile is one line of the list.
type closedFile struct {
	name string
	size int64
	sum  uint32 // 0 for files that have checksums in them
}

// statFile measures one file of the folder.
func statFile(fsys vfs.FS, dir, name string) (closedFile, error) {
	c := closedFile{name: name}
	f, err := fsys.Open(fsys.PathJoin(dir, name))
	if err != nil {
		return c, err
	}
	info, err := f.Stat()
	if err == nil {
		c.size = info.Size()
		if kind := kindOf(name); kind != table && kind != blob {
			h := crc32.New(crc32.MakeTable(crc32.Castagnoli))
			_, err = io.Copy(h, io.NewSectionReader(f, 0, c.size))
			c.sum = h.Sum32()
		}
	}
	return c, errors.Join(err, f.Close())
}

// unlisted reports whether a file is of no concern to the list.
func unlisted(name string) bool { return name == closedName || name == reserveName || name == "LOCK" }

// writeClosed makes the list. Without it all works as after a kill.
func writeClosed(fsys vfs.FS, dir string) error {
	names, err := fsys.List(dir)
	if err != nil {
		return err
	}
	var b strings.Builder
	for _, name := range names {
		if unlisted(name) {
			continue
		}
		c, err := statFile(fsys, dir, name)
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%s %d %08x\n", c.name, c.size, c.sum)
	}
	fmt.Fprintf(&b, "%s%08x\n", listEnd, crc32.ChecksumIEEE([]byte(b.String())))
	f, err := fsys.Create(fsys.PathJoin(dir, closedName), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write([]byte(b.String()))
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// readClosed reads the list; ok is false if there is none, or not a whole one.
func readClosed(fsys vfs.FS, dir string) (list []closedFile, ok bool, err error) {
	f, err := fsys.Open(fsys.PathJoin(dir, closedName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	text, err := io.ReadAll(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, false, err
	}
	body, end, ok := strings.Cut("\n"+string(text), "\n"+listEnd)
	body = strings.TrimPrefix(body+"\n", "\n")
	if !ok || end != fmt.Sprintf("%08x\n", crc32.ChecksumIEEE([]byte(body))) {
		return nil, false, nil
	}
	for line := range strings.Lines(body) {
		var c closedFile
		if _, err := fmt.Sscanf(line, "%s %d %x", &c.name, &c.size, &c.sum); err != nil {
			return nil, false, nil
		}
		list = append(list, c)
	}
	return list, true, nil
}

// compareClosed returns what of the folder is not as it was when the store was closed.
func compareClosed(fsys vfs.FS, dir string) (damage []string, listed bool, err error) {
	list, listed, err := readClosed(fsys, dir)
	if err != nil || !listed {
		return nil, false, err
	}
	for _, want := range list {
		got, err := statFile(fsys, dir, want.name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			damage = append(damage, fmt.Sprintf("file %s is missing", want.name))
		case err != nil:
			return damage, true, err
		case got.size != want.size:
			damage = append(damage, fmt.Sprintf("file %s has %d bytes, and had %d when the store was closed", want.name, got.size, want.size))
		case got.sum != want.sum:
			damage = append(damage, fmt.Sprintf("file %s is not what it was when the store was closed", want.name))
		}
	}
	return damage, true, nil
}

// headless says what is wrong with a folder that holds a store but nothing
// that says which manifest counts: Pebble would make a new store in its place.
func headless(fsys vfs.FS, dir string) (string, error) {
	names, err := fsys.List(dir)
	if err != nil {
		return "", err
	}
	found := ""
	for _, name := range names {
		if strings.HasPrefix(name, "marker.manifest.") {
			return "", nil
		}
		kind := kindOf(name)
		// The first manifest alone is what a store leaves that could not be made.
		if kind == table || kind == blob || strings.HasPrefix(name, "MANIFEST-") && name != "MANIFEST-000001" {
			found = name
		}
	}
	if found == "" {
		return "", nil
	}
	return fmt.Sprintf("the file marker.manifest.* is missing, and there is %s", found), nil
}

// inspect refuses a folder that is not as the last Close left it.
func inspect(fsys vfs.FS, dir string) error {
	damage, _, err := compareClosed(fsys, dir)
	if err != nil {
		return err
	}
	if head, err := headless(fsys, dir); err != nil {
		return err
	} else if head != "" {
		damage = append(damage, head)
	}
	if len(damage) > 0 {
		return fmt.Errorf("%w: %s", pebble.ErrCorruption, strings.Join(damage, "; "))
	}
	return dropClosed(fsys, dir)
}

// dropClosed removes the list for good.
func dropClosed(fsys vfs.FS, dir string) error {
	err := fsys.Remove(fsys.PathJoin(dir, closedName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	d, err := fsys.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
