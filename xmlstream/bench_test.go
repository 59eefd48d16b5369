package xmlstream

import (
	"strconv"
	"testing"
)

// BenchmarkNext scans each stanza of the corpus again and again on one open
// stream, all at once and in reads of three sizes.
func BenchmarkNext(b *testing.B) {
	for _, c := range corpus {
		for _, chunk := range []int{0, 1448, 64, 1} {
			name := c.name + "/whole"
			if chunk > 0 {
				name = c.name + "/" + strconv.Itoa(chunk)
			}
			b.Run(name, func(b *testing.B) { benchmarkChunks(b, c.xml, chunk) })
		}
	}
}

// benchmarkChunks feeds stanza after stanza in chunks that don't care where a
// stanza ends; 0 gives each stanza alone.
func benchmarkChunks(b *testing.B, stanza string, chunk int) {
	var s Scanner
	if _, _, err := s.Next([]byte(streamHeader)); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(stanza)))
	if chunk == 0 {
		buf := []byte(stanza)
		for b.Loop() {
			if tok, _, err := s.Next(buf); tok.Kind != Element {
				b.Fatal(tok.Kind, err)
			}
			s.Release()
		}
		return
	}
	const many = 64
	var wire []byte
	for range many {
		wire = append(wire, stanza...)
	}
	found, from, end := many, 0, 0
	for b.Loop() {
		if found == many {
			found, from, end = 0, 0, 0
		}
		for {
			tok, n, err := s.Next(wire[from:end])
			if err != nil {
				b.Fatal(err)
			}
			from += n
			if tok.Kind == Element {
				found++
				break
			}
			end = min(end+chunk, len(wire))
		}
	}
}

// BenchmarkWalk goes through a message that was scanned before.
func BenchmarkWalk(b *testing.B) {
	tok := element(b, corpus[0].xml)
	b.ReportAllocs()
	for b.Loop() {
		for w := tok.Walk(); w.Next() != Done; {
		}
	}
}

// BenchmarkAppendCanonical writes a message again.
func BenchmarkAppendCanonical(b *testing.B) {
	tok := element(b, corpus[0].xml)
	dst := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := AppendCanonical(dst, &tok); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEncodingXML is the yardstick: the tokens of the same message.
func BenchmarkEncodingXML(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decoded(corpus[0].xml); err != nil {
			b.Fatal(err)
		}
	}
}
