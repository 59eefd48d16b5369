package jid

import (
	"testing"

	mjid "mellium.im/xmpp/jid"
)

const sample = "juliet.capulet@chat.example.com/balcony-2f6d1e"

// TestAllocs holds the costs that the package comment promises.
func TestAllocs(t *testing.T) {
	b := []byte(sample)
	j := MustParse(sample)
	m := map[JID]int{j: 1}
	for _, c := range []struct {
		name string
		want float64
		do   func()
	}{
		{"Parse", 0, func() { _, _ = Parse(sample) }},
		{"ParseBytes", 1, func() { _, _ = ParseBytes(b) }},
		{"parts", 0, func() { _, _, _ = j.Local(), j.Domain(), j.Resource(); sink = j.Bare(); sink = j.Host() }},
		{"key", 0, func() { m[j.Bare()]++; delete(m, j.Bare()) }},
	} {
		if got := testing.AllocsPerRun(100, c.do); got > c.want {
			t.Errorf("%s: %v allocations, want at most %v", c.name, got, c.want)
		}
	}
}

var sink JID

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		sink, _ = Parse(sample)
	}
}

func BenchmarkParseBytes(b *testing.B) {
	in := []byte(sample)
	b.ReportAllocs()
	for b.Loop() {
		sink, _ = ParseBytes(in)
	}
}

func BenchmarkParseCapitals(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		sink, _ = Parse("Juliet.Capulet@Chat.Example.com/balcony-2f6d1e")
	}
}

func BenchmarkParseUnicode(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		sink, _ = Parse("m\u00fcller@m\u00fcnchen.example/\u265a")
	}
}

func BenchmarkBareCompare(b *testing.B) {
	x, y := MustParse(sample), MustParse(sample)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if x.Bare() == y.Bare() {
			n++
		}
	}
}

func BenchmarkMelliumParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_, _ = mjid.Parse(sample)
	}
}

func BenchmarkMelliumString(b *testing.B) {
	j := mjid.MustParse(sample)
	b.ReportAllocs()
	for b.Loop() {
		_ = j.String()
	}
}
