package attacks

import (
	"encoding/xml"
	"slices"
	"strings"
	"testing"
)

// answer is the part of an element that tells how something was received.
type answer struct {
	XMLName  xml.Name
	Type     string `xml:"type,attr"`
	Children []struct {
		XMLName  xml.Name
		Type     string `xml:"type,attr"`
		Children []struct {
			XMLName xml.Name
		} `xml:",any"`
	} `xml:",any"`
}

// verdict puts an element in short: "stream restricted-xml" for a stream error,
// "sasl not-authorized" for a SASL failure, "cancel item-not-found" for an error
// stanza (type and condition), "result" for a result, else the element's name.
func verdict(t testing.TB, element string) string {
	t.Helper()
	if element == "" {
		return "end of connection"
	}
	if strings.HasPrefix(element, "</") {
		return "end of stream"
	}
	// The prefix is declared on the header, which isn't here.
	var a answer
	d := xml.NewDecoder(strings.NewReader(element))
	if err := d.Decode(&a); err != nil {
		if strings.HasPrefix(element, "<stream:stream ") {
			return "header"
		}
		t.Fatalf("%s: %v", element, err)
	}
	switch {
	case a.XMLName.Space == "stream" && a.XMLName.Local == "error":
		for _, c := range a.Children {
			if c.XMLName.Space == "urn:ietf:params:xml:ns:xmpp-streams" && c.XMLName.Local != "text" {
				return "stream " + c.XMLName.Local
			}
		}
	case a.XMLName.Local == "failure" && len(a.Children) > 0:
		return "sasl " + a.Children[0].XMLName.Local
	case a.Type == "error":
		for _, c := range a.Children {
			if c.XMLName.Local == "error" && len(c.Children) > 0 {
				return c.Type + " " + c.Children[0].XMLName.Local
			}
		}
	case a.Type == "result":
		return "result"
	}
	return a.XMLName.Local
}

// expect fails the test unless an element is received as want says; a bar in
// want separates what is equally right.
func (w *wire) expect(element, want string) {
	w.t.Helper()
	if got := verdict(w.t, element); !slices.Contains(strings.Split(want, "|"), got) {
		w.t.Errorf("answered by %q, not %q: %s\n%s", got, want, element, w.tail())
	}
}

// expectEnd expects a stream error, the closing tag and the end of the connection.
func (w *wire) expectEnd(want string) {
	w.t.Helper()
	e := w.next()
	for verdict(w.t, e) == "header" || strings.HasPrefix(e, "<stream:features") {
		e = w.next()
	}
	w.expect(e, want)
	w.expect(w.next(), "end of stream") // RFC 6120 §4.9.1.1
	w.send("</stream:stream>").ended()
	if rest := w.next(); rest != "" {
		w.t.Errorf("sent behind the end of the stream: %s", rest)
	}
}

func TestVerdict(t *testing.T) {
	for element, want := range map[string]string{
		"": "end of connection",
		"<stream:error><not-well-formed xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>": "stream not-well-formed",
		"<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><aborted/></failure>":                      "sasl aborted",
		"<iq type='error'><q/><error type='modify'><bad-request/><text/></error></iq>":                "modify bad-request",
		"<iq type='result'/>":        "result",
		"<message><body/></message>": "message",
		"<stream:stream from='a'>":   "header",
		"</stream:stream>":           "end of stream",
	} {
		if got := verdict(t, element); got != want {
			t.Errorf("%s is %q, not %q", element, got, want)
		}
	}
}
