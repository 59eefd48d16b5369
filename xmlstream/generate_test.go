package xmlstream

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// generator writes streams that are nearly always right and use everything that
// is allowed, odd things more often than real clients do.
type generator struct {
	*rand.Rand
	strings.Builder
	elements int
}

// generate returns one stream.
func generate(seed uint64) string {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 1))}
	g.WriteString(g.pick("", "", "<?xml version='1.0'?>", "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n", "\n"))
	g.WriteString(g.pick(streamHeader[len("<?xml version='1.0'?>"):], "<s xmlns='n'>", "<s xmlns:p='m' xmlns='n' xmlns:q='o'>"))
	open := g.String()
	for range 1 + g.IntN(4) {
		g.elements = 0
		if strings.Contains(open, "xmlns:p=") {
			g.element(1, []string{"", "p:", "q:"})
		} else {
			g.element(1, []string{""})
		}
		g.WriteString(g.pick("", "", "\n", " \t"))
	}
	if strings.Contains(open, "stream:stream") {
		g.WriteString("</stream:stream>")
	} else {
		g.WriteString(g.pick("</s>", "</s\n>", ""))
	}
	return g.String()
}

func (g *generator) pick(from ...string) string { return from[g.IntN(len(from))] }

func (g *generator) space() string { return g.pick("", "", "", " ", "\n", "\r\n\t") }

// element writes an element; prefixes has those that are bound.
func (g *generator) element(depth int, prefixes []string) {
	g.elements++
	var decls strings.Builder
	bound := map[string]bool{}
	for _, p := range []string{"", "p:", "q:", "ж:"} {
		if g.IntN(6) > 0 {
			continue
		}
		name := "xmlns"
		if p != "" {
			name = "xmlns:" + strings.TrimSuffix(p, ":")
			bound[p] = true
		}
		fmt.Fprintf(&decls, " %s%s=%s'%s'", name, g.space(), g.space(), g.pick("n", "m", "o&amp;", "urn:x", "jabber:client"))
	}
	for p := range bound {
		prefixes = append(prefixes[:len(prefixes):len(prefixes)], p)
	}
	name := g.pick(prefixes...) + g.pick("a", "b", "message", "ä", "x-1.2_3", "中")
	g.WriteString("<" + name + decls.String())
	for _, local := range []string{"a", "b", "to", "é"} {
		if g.IntN(4) > 0 {
			continue
		}
		p := g.pick(append(prefixes, "")...)
		quote := g.pick("'", "\"")
		g.WriteString(" " + g.space() + p + local + g.space() + "=" + g.space() + quote + g.text(quote, "<") + quote)
	}
	if g.IntN(5) == 0 {
		g.WriteString(" xml:lang='en'")
	}
	g.WriteString(g.space())
	if g.IntN(3) == 0 {
		g.WriteString("/>")
		return
	}
	g.WriteString(">")
	for g.IntN(4) > 0 && g.elements < 30 {
		switch {
		case depth < 6 && g.IntN(2) == 0:
			g.element(depth+1, prefixes)
		case g.IntN(6) == 0:
			g.WriteString("<![CDATA[" + g.pick("", "]", "]]", "<a>&amp;", "\r\n", "ж]]") + "]]>")
		default:
			g.WriteString(g.text("<", "]"))
		}
	}
	g.WriteString("</" + name + g.space() + ">")
}

// text returns a piece of text without the two characters.
func (g *generator) text(not, nor string) string {
	t := g.pick("", "plain", "a longer piece of text, of many words", "&lt;&gt;&amp;&quot;&apos;", "&#9;&#xA;&#13;", "&#65;&#x1F600;", "ж\U0001f600\ufeff", "'", "\"", ">", "]", " ", "\t\n", "\r\n\r",
		"]] ", "x\r")
	return strings.NewReplacer(not, "", nor, "").Replace(t)
}

// TestGenerated checks many streams against encoding/xml and themselves.
func TestGenerated(t *testing.T) {
	complete := 0
	for seed := range uint64(3000) {
		wire := generate(seed)
		checkWire(t, wire, seed)
		if got, err := scan(wire, Limits{}, 9); err == nil && len(got) > 1 {
			complete++
		}
	}
	if complete < 2000 {
		t.Errorf("only %d of 3000 streams are right", complete)
	}
}
