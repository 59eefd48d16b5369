package xmlstream_test

import (
	"fmt"

	"weir/xmlstream"
)

// A stream that arrives in two reads.
func Example() {
	var s xmlstream.Scanner
	s.Reset(xmlstream.Limits{Bytes: 8192, Elements: 32, Depth: 8, Attrs: 64})
	reads := []string{
		"<stream:stream to='example.net' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'><message><bo",
		"dy>Hi &amp; bye</body></message>\n</stream:stream>",
	}
	var buf []byte
	for _, read := range reads {
		buf = append(buf, read...)
		for {
			tok, n, err := s.Next(buf)
			if err != nil {
				fmt.Println(err)
				return
			}
			if tok.Kind == xmlstream.More {
				break
			}
			switch tok.Kind {
			case xmlstream.Header:
				to, _ := tok.Attr("to")
				fmt.Printf("stream to %s, content %s\n", to, s.ContentNamespace())
			case xmlstream.Element:
				c := tok.Children[0]
				fmt.Printf("%s with %s: %s\n", tok.Local, c.Local, xmlstream.Text(tok.Raw[c.Start:c.End]))
			case xmlstream.Close:
				fmt.Println("closed")
			}
			buf = buf[n:]
		}
	}
	// Output:
	// stream to example.net, content jabber:client
	// message with body: Hi & bye
	// closed
}

// A small payload is read without a document tree.
func ExampleWalker_Child() {
	raw := []byte("<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>balcony</resource></bind>")
	const ns = "urn:ietf:params:xml:ns:xmpp-bind"
	w := xmlstream.Walk(raw, "jabber:client")
	if w.Child(ns, "bind") && w.Child(ns, "resource") {
		fmt.Printf("%s\n", w.ElementText())
	}
	// Output: balcony
}

func ExampleAppendAttr() {
	b := append([]byte(nil), "<item name='"...)
	b = xmlstream.AppendAttr(b, `Romeo "R" <3`)
	b = append(b, "'/>"...)
	fmt.Println(string(b))
	// Output: <item name='Romeo &quot;R&quot; &lt;3'/>
}
