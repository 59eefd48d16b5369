package stanza

import (
	"strings"
	"sync"
	"testing"
	"time"
)

// TestRewrite has elements whose bytes would mean something else, or nothing, on
// the receiver's stream.
func TestRewrite(t *testing.T) {
	const from = `from='juliet@example.com/balcony'`
	for _, c := range []struct{ in, want string }{
		// a prefix that only the sender's stream header binds
		{`<message><far:a far:b='c'><d/></far:a></message>`,
			`<message ` + from + `><a xmlns='urn:far' xmlns:n0='urn:far' n0:b='c'><d xmlns='jabber:client'/></a></message>`},
		// prefixes of the stanza itself
		{`<c:message xmlns:c='jabber:client'><c:body>x</c:body></c:message>`, `<message ` + from + `><body>x</body></message>`},
		{`<message xmlns:p='urn:p'><p:a/></message>`, `<message ` + from + `><a xmlns='urn:p'/></message>`},
		{`<message far:z='1'><body/></message>`, `<message ` + from + ` xmlns:a0='urn:far' a0:z='1'><body/></message>`},
		// character data
		{`<message><body><![CDATA[a<b]]>&#x41;</body></message>`, `<message ` + from + `><body>a&lt;bA</body></message>`},
		{"<message><a b='x\ty'/>\r\n</message>", "<message " + from + "><a b='x y'/>\n</message>"},
		// canonical: as it came, quotes and white space and all
		{`<message  ><body  a = "1" >x</body ></message  >`, `<message ` + from + `><body  a = "1" >x</body ></message>`},
		{`<message xmlns='jabber:client' xmlns:p='urn:p' />`, `<message ` + from + `/>`},
	} {
		s := must(t, c.in)
		if got := text(s); got != c.want {
			t.Errorf("%s\nis written as %s\nwant          %s", c.in, got, c.want)
		}
		sane(t, s)
	}
}

// TestGrowth holds that writing an element again can't be used to make much of
// little.
func TestGrowth(t *testing.T) {
	ns := strings.Repeat("n", 250)
	in := `<message id='1' to='romeo@example.net' xmlns:l='` + ns + `'>` + strings.Repeat("<l:x/>", 1500) + `</message>`
	s, err := receive(t, in)
	e, ok := AsError(err)
	if !ok || e.Condition != "policy-violation" || s == nil {
		t.Fatalf("%v, %v", s, err)
	}
	if got := text(s.ErrorReply(e)); !strings.HasPrefix(got, `<message from='romeo@example.net' to='juliet@example.com/balcony' id='1' type='error'>`) {
		t.Errorf("answered by %s", got)
	}
}

// TestShared is for the race detector: variants are made and written by many.
func TestShared(t *testing.T) {
	s := must(t, several)
	want := text(s)
	stamp := Delay(romeo, time.Unix(0, 0), "")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				v := s.With(romeo, juliet).WithChild(stamp)
				back, err := Parse(v.AppendTo(nil))
				if err != nil || !back.HasChild(NSDelay, "delay") || text(s) != want {
					t.Errorf("%v: %s", err, text(v))
				}
				for range s.Children() {
					_ = s.ErrorReply(Forbidden())
				}
			}
		})
	}
	wg.Wait()
}
