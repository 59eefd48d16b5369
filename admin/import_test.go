package admin

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"weir/auth"
	"weir/jid"
)

// FuzzImport holds that any bytes end as entries, skipped or not, each with the
// number of its line, and that the reader comes to an end.
func FuzzImport(f *testing.F) {
	for _, s := range []string{"", "a@b c\n", "\r\n#x\n a@b  c d \r\n\nx", strings.Repeat("a", 2*maxLine) + "\nb@c d", "\x00 \xff\n\t\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		in := &importReader{lines: bufio.NewReaderSize(strings.NewReader(text), maxLine), account: jid.Parse}
		for n := 0; ; n++ {
			j, password, err := in.next()
			if errors.Is(err, io.EOF) {
				lines := strings.Count(text, "\n") + 1
				if len(in.entries) != n || !slices.IsSorted(in.entries) || n > 0 && in.entries[n-1] > lines {
					t.Errorf("%d entries on the lines %v, of %d lines", n, in.entries, lines)
				}
				return
			}
			var skip auth.SkipEntry
			if err != nil && !errors.As(err, &skip) {
				t.Fatal(err)
			}
			if err == nil && (j.IsZero() || strings.HasPrefix(password, " ") || strings.ContainsAny(password, "\n")) {
				t.Errorf("entry %d: %q %q", n, j, password)
			}
			if n > len(text) {
				t.Fatal("more entries than bytes")
			}
		}
	})
}

// TestImportStops holds what is told of an import that didn't come to its end.
func TestImportStops(t *testing.T) {
	in := &importReader{entries: []int{2, 5, 9}}
	bulk := &auth.BulkError{Created: 1, Failed: 2, Entries: []auth.EntryError{{N: 3, Err: auth.ErrExists}, {N: 1, Err: auth.ErrWeakPassword}}}
	r := in.result(3, errors.Join(errors.New("line 10: the wire broke"), bulk))
	if got := fmt.Sprintf("%d %d %d %d %s", r.Created, r.Refused, r.Lines[0].Line, r.Lines[1].Line, r.Error); got != "1 2 2 9 line 10: the wire broke" {
		t.Error(got)
	}
	if r := in.result(3, nil); r.Created != 3 || r.Error != "" || r.Lines == nil {
		t.Errorf("%+v", r)
	}
	if r := in.result(0, io.ErrUnexpectedEOF); r.Error != "unexpected EOF" {
		t.Errorf("%+v", r)
	}
}
