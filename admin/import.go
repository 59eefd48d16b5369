package admin

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"weir/auth"
	"weir/jid"
)

// maxLine is the length of a line of an import: the longest address, the longest
// password and some space.
const maxLine = 8 << 10

// Progress is one line of the answer to an import: how many entries are dealt
// with so far or, on the last line, how it ended.
type Progress struct {
	Entries int     `json:"entries"`          // dealt with so far
	Result  *Result `json:"result,omitempty"` // on the last line
}

// Result is how an import ended.
type Result struct {
	Created int       `json:"created"`
	Refused int       `json:"refused"`
	Lines   []Refusal `json:"lines"`           // the first 1,000 refused, in order
	Error   string    `json:"error,omitempty"` // why the rest wasn't looked at
}

// Refusal says why a line of an import made no account.
type Refusal struct {
	Line  int    `json:"line"` // the first is 1
	JID   string `json:"jid,omitempty"`
	Error string `json:"error"`
}

// importUsers answers POST /v1/users/import. The body has one account a line:
// its address, blanks or a tab, its password up to the end of the line. Empty
// lines and those that begin with # are passed over. The answer is a stream of
// [Progress], one JSON value a line.
func (c *Control) importUsers(w http.ResponseWriter, r *http.Request) (any, error) {
	out := http.NewResponseController(w)
	// The answer begins before the request has ended.
	if err := out.EnableFullDuplex(); err != nil {
		return nil, err
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	enc := json.NewEncoder(w)
	tell := func(p Progress) {
		// A client that left ends the request's context, and that the import.
		if err := enc.Encode(p); err == nil {
			_ = out.Flush()
		}
	}
	in := &importReader{lines: bufio.NewReaderSize(r.Body, maxLine), account: c.newAccount}
	last := 0
	err := c.users.CreateMany(r.Context(), in.next, func(n int) {
		last = n
		tell(Progress{Entries: n})
	})
	result := in.result(last, err)
	c.log.Info("accounts imported", "created", result.Created, "refused", result.Refused, "err", result.Error)
	tell(Progress{Entries: last, Result: &result})
	return streamed{}, nil
}

// importReader reads the entries of an import.
type importReader struct {
	lines   *bufio.Reader
	account func(string) (jid.JID, error)
	line    int
	entries []int // line of each entry
}

// next returns the next entry, as auth.Service.CreateMany wants it.
func (in *importReader) next() (jid.JID, string, error) {
	for {
		text, err := in.lines.ReadSlice('\n')
		in.line++
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = in.lines.ReadSlice('\n')
			}
			in.entries = append(in.entries, in.line)
			return jid.JID{}, "", auth.SkipEntry{Err: fmt.Errorf("longer than %d bytes", maxLine)}
		case err != nil && !errors.Is(err, io.EOF):
			return jid.JID{}, "", fmt.Errorf("line %d: %w", in.line, err)
		case err != nil && len(text) == 0:
			return jid.JID{}, "", io.EOF
		}
		entry := strings.TrimRight(string(text), "\r\n")
		if start := strings.TrimSpace(entry); start == "" || start[0] == '#' {
			continue
		}
		in.entries = append(in.entries, in.line)
		return in.split(strings.TrimLeft(entry, " \t"))
	}
}

func (in *importReader) split(entry string) (jid.JID, string, error) {
	at := strings.IndexAny(entry, " \t")
	if at < 0 {
		return jid.JID{}, "", auth.SkipEntry{Err: errors.New("no password: a line is an address, a blank and a password")}
	}
	j, err := in.account(entry[:at])
	if err != nil {
		return j, "", auth.SkipEntry{Err: err}
	}
	return j, strings.TrimLeft(entry[at:], " \t"), nil
}

// result turns what CreateMany returned into what is told.
func (in *importReader) result(entries int, err error) Result {
	r := Result{Created: entries, Lines: []Refusal{}}
	var bulk *auth.BulkError
	if errors.As(err, &bulk) {
		r.Created, r.Refused = bulk.Created, bulk.Failed
		for _, e := range bulk.Entries {
			x := Refusal{Line: in.entries[e.N-1], Error: plain(e.Err)}
			if !e.JID.IsZero() {
				x.JID = e.JID.String()
			}
			r.Lines = append(r.Lines, x)
		}
		slices.SortFunc(r.Lines, func(a, b Refusal) int { return a.Line - b.Line })
	}
	if stop := withoutBulk(err); stop != nil {
		r.Error = plain(stop)
	}
	return r
}

// withoutBulk returns the part of an error of CreateMany that isn't the report.
func withoutBulk(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var rest error
		for _, e := range joined.Unwrap() {
			rest = errors.Join(rest, withoutBulk(e))
		}
		return rest
	}
	if _, ok := err.(*auth.BulkError); ok {
		return nil
	}
	return err
}
