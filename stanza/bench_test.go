package stanza

import (
	"testing"

	"weir/xmlstream"
)

// TestAllocs holds the costs that the package comment promises.
func TestAllocs(t *testing.T) {
	s := must(t, message)
	buf := make([]byte, 0, 1024)
	b := s.AppendTo(nil)
	onStream(t, message, func(tok *xmlstream.Token) {
		for _, c := range []struct {
			name string
			want float64
			do   func()
		}{
			{"FromToken", 2, func() { _, _ = FromToken(tok, juliet, "en") }},
			{"AppendTo", 0, func() { buf = s.AppendTo(buf[:0]) }},
			{"With", 1, func() { sink = s.With(romeo, juliet) }},
			{"WithStanzaID", 2, func() { sink = s.WithStanzaID(romeo, "0123456789abcdef") }},
			{"Forward", 3, func() { sink = (&Envelope{To: romeo, NS: "urn:x", Local: "x"}).Forward(s) }},
			{"HasChild", 0, func() { _ = s.HasChild("urn:xmpp:receipts", "request") }},
			{"Payload", 0, func() { _ = s.Payload() }},
			{"Names", 0, func() {
				for range s.Names() {
					count++
				}
			}},
			{"ErrorReply", 14, func() { sink = s.ErrorReply(ServiceUnavailable()) }},
		} {
			if got := testing.AllocsPerRun(100, c.do); got > c.want {
				t.Errorf("%s: %v allocations, want at most %v", c.name, got, c.want)
			}
		}
	})
	if got := testing.AllocsPerRun(100, func() { sink, _ = Parse(b) }); got > 6 {
		t.Errorf("Parse: %v allocations", got)
	}
}

var (
	sink  *Stanza
	count int
)

func BenchmarkFromToken(b *testing.B) {
	onStream(b, message, func(tok *xmlstream.Token) {
		b.ReportAllocs()
		b.SetBytes(int64(len(message)))
		for b.Loop() {
			sink, _ = FromToken(tok, juliet, "en")
		}
	})
}

func BenchmarkAppendTo(b *testing.B) {
	s := must(b, message)
	buf := s.AppendTo(nil)
	b.ReportAllocs()
	b.SetBytes(int64(len(buf)))
	for b.Loop() {
		buf = s.AppendTo(buf[:0])
	}
}

func BenchmarkWithAppendTo(b *testing.B) {
	s := must(b, message)
	buf := s.AppendTo(nil)
	b.ReportAllocs()
	for b.Loop() {
		buf = s.With(romeo, juliet).AppendTo(buf[:0])
	}
}

func BenchmarkParse(b *testing.B) {
	in := must(b, message).AppendTo(nil)
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		sink, _ = Parse(in)
	}
}

func BenchmarkHasChild(b *testing.B) {
	s := must(b, message)
	b.ReportAllocs()
	for b.Loop() {
		if s.HasChild("urn:xmpp:receipts", "request") {
			count++
		}
	}
}

func BenchmarkWithChild(b *testing.B) {
	s := must(b, message)
	stamp := []byte("<delay xmlns='urn:xmpp:delay' from='example.com' stamp='2002-09-10T23:08:25Z'/>")
	b.ReportAllocs()
	for b.Loop() {
		sink = s.WithChild(stamp)
	}
}

func BenchmarkErrorReply(b *testing.B) {
	s := must(b, message)
	e := ServiceUnavailable("nobody there")
	b.ReportAllocs()
	for b.Loop() {
		sink = s.ErrorReply(e)
	}
}
