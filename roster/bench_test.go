package roster

import (
	"fmt"
	"testing"

	"weir/jid"
)

// filled is the roster of an online account with n mutual contacts.
func filled(b *testing.B, n int) (*Rosters, *store) {
	st := newStore(b)
	r := newRosters(b, st, Options{})
	tx := begin(b, r, romeo)
	for i := range n {
		c := jid.MustParse(fmt.Sprintf("contact%d@example.com", i))
		tx.Set(romeo, Update{JID: c, Name: fmt.Sprint("Contact ", i), Groups: []string{"Friends"}})
		tx.Apply(romeo, c, OutSubscribe, nil)
		tx.Apply(romeo, c, InSubscribed, nil)
		tx.Apply(romeo, c, InSubscribe, request(c, romeo, ""))
		if _, err := tx.Apply(romeo, c, OutSubscribed, nil); err != nil {
			b.Fatal(err)
		}
	}
	if err := st.commit(tx); err != nil {
		b.Fatal(err)
	}
	if err := r.Load(b.Context(), romeo); err != nil {
		b.Fatal(err)
	}
	return r, st
}

func BenchmarkState(b *testing.B) {
	r, _ := filled(b, 50)
	c := jid.MustParse("contact25@example.com")
	b.ReportAllocs()
	for b.Loop() {
		if s, ok := r.State(romeo, c); !ok || s != Both {
			b.Fatal(s)
		}
	}
}

func BenchmarkSubscribers50(b *testing.B) {
	r, _ := filled(b, 50)
	var buf []jid.JID
	b.ReportAllocs()
	for b.Loop() {
		buf = r.Subscribers(romeo, buf[:0])
	}
}

func BenchmarkGet50(b *testing.B) {
	r, _ := filled(b, 50)
	b.ReportAllocs()
	for b.Loop() {
		r.Get(b.Context(), romeo, nil, func(v *View) { v.Query() })
	}
}

func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{0, 50, 2000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			_, st := filled(b, n)
			b.ReportAllocs()
			for b.Loop() {
				r := newRosters(b, st, Options{})
				if err := r.Load(b.Context(), romeo); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSet(b *testing.B) {
	for _, n := range []int{50, 2000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r, st := filled(b, n)
			c := jid.MustParse("contact25@example.com")
			b.ReportAllocs()
			for b.Loop() {
				set(b, r, st, romeo, Update{JID: c, Name: "x"})
			}
		})
	}
}
