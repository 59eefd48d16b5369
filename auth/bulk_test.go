package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"weir/jid"

	"mellium.im/sasl"
)

type entry struct {
	jid, password string
	err           error
}

// source makes a next function of a list.
func source(entries []entry) func() (jid.JID, string, error) {
	return func() (jid.JID, string, error) {
		if len(entries) == 0 {
			return jid.JID{}, "", io.EOF
		}
		e := entries[0]
		entries = entries[1:]
		j, _ := jid.Parse(e.jid)
		return j, e.password, e.err
	}
}

func TestCreateMany(t *testing.T) {
	o := cheap()
	o.SHA1 = false
	s, st := newService(t, o)
	var list []entry
	for i := range 300 {
		list = append(list, entry{jid: fmt.Sprintf("user%d@%s/x", i, domain), password: fmt.Sprintf("password %d", i)})
	}
	list[10].jid = "juliet@" + domain                              // exists
	list[20].jid = "user19@" + domain                              // twice in a batch
	list[290].jid = "user1@" + domain                              // twice, far apart
	list[30].password = "short"                                    // weak
	list[40].jid = domain                                          // no name
	list[50].err = SkipEntry{errors.New("line 51 makes no sense")} // unreadable
	commits := st.commits
	last := 0
	err := s.CreateMany(t.Context(), source(list), func(n int) {
		if n < last {
			t.Errorf("progress went from %d to %d", last, n)
		}
		last = n
	})
	var report *BulkError
	if !errors.As(err, &report) {
		t.Fatalf("got %v", err)
	}
	if last != 300 || report.Created != 294 || report.Failed != 6 || len(report.Entries) != 6 {
		t.Errorf("progress %d, %+v", last, report)
	}
	want := map[int]error{11: ErrExists, 31: ErrWeakPassword, 41: ErrBadName, 51: list[50].err}
	twice := 0
	for _, e := range report.Entries {
		switch e.N {
		case 20, 21, 2, 291: // whichever of the two came second
			twice++
			if !errors.Is(e, ErrExists) {
				t.Error(e)
			}
		default:
			if !errors.Is(e, want[e.N]) || !strings.Contains(e.Error(), fmt.Sprintf("entry %d", e.N)) {
				t.Error(e)
			}
		}
	}
	if twice != 2 {
		t.Errorf("%d duplicates found", twice)
	}
	if n := st.commits - commits; n > 5 {
		t.Errorf("%d commits", n)
	}
	if !strings.Contains(report.Error(), "294 accounts created, 6 entries refused") {
		t.Error(report)
	}
	x, f := login(t, s, secured(), "SCRAM-SHA-256", melliumClient(sasl.ScramSha256, "user299", "password 299", "", nil, nil))
	if f != nil || x.Identity().Local() != "user299" {
		t.Errorf("login: %v", f)
	}
}

func TestCreateManyStops(t *testing.T) {
	o := cheap()
	o.SHA1 = false
	s, st := newService(t, o)
	if err := s.CreateMany(t.Context(), source(nil), nil); err != nil {
		t.Errorf("nothing to do: %v", err)
	}
	// An error of next: what came before is made.
	broken := errors.New("file is gone")
	err := s.CreateMany(t.Context(), source([]entry{{jid: "a@" + domain, password: password}, {err: broken}, {jid: "b@" + domain, password: password}}), nil)
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if a, _ := s.Exists(t.Context(), jid.MustParse("a@"+domain)); !a {
		t.Error("what came before the error isn't made")
	}
	if b, _ := s.Exists(t.Context(), jid.MustParse("b@"+domain)); b {
		t.Error("what came behind the error is made")
	}
	endless := func() (jid.JID, string, error) { return jid.MustParse("c@" + domain), password, nil }
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	err = s.CreateMany(ctx, func() (jid.JID, string, error) {
		if n++; n == 20 {
			cancel()
		}
		return endless()
	}, nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	gone := errors.New("store is gone")
	st.set(gone, gone)
	if err = s.CreateMany(t.Context(), endless, nil); !errors.Is(err, gone) {
		t.Errorf("got %v", err)
	}
}

// BenchmarkCreateMany measures accounts a second with the default settings.
func BenchmarkCreateMany(b *testing.B) {
	s, _ := newService(b, DefaultOptions())
	n := 0
	err := s.CreateMany(b.Context(), func() (jid.JID, string, error) {
		if !b.Loop() {
			return jid.JID{}, "", io.EOF
		}
		n++
		return jid.MustParse(fmt.Sprintf("user%d@%s", n, domain)), password, nil
	}, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "accounts/s")
}
