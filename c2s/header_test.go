package c2s

import (
	"regexp"
	"strings"
	"testing"
)

func TestResponseHeader(t *testing.T) {
	for _, tt := range []struct{ name, send, want string }{
		{"plain", headerVerona, `^<\?xml version='1.0'\?><stream:stream from='verona.lit' id='[A-Z2-7]{26}' version='1.0' xml:lang='en' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>$`},
		{"full from", "<stream:stream from='Juliet@Verona.lit/x' to='verona.lit' version='1.0' xmlns='jabber:client' xmlns:stream='" + nsStream + "'>",
			` to='juliet@verona.lit/x' version='1.0' `},
		{"from answered by to", "<stream:stream from='Juliet@Verona.lit' to='verona.lit' version='1.0' xmlns='jabber:client' xmlns:stream='" + nsStream + "'>",
			` to='juliet@verona.lit' version='1.0' `},
		{"a bad from is none", "<stream:stream from='@@' to='verona.lit' version='1.0' xmlns='jabber:client' xmlns:stream='" + nsStream + "'>",
			`id='[A-Z2-7]+' version='1.0' `},
		{"other host", header("mantua.lit"), ` from='mantua.lit' `},
		{"host is normalised", header("VERONA.lit"), ` from='verona.lit' `},
		{"prefix-free", "<stream to='verona.lit' version='1.0' xmlns='" + nsStream + "'>", ` from='verona.lit' `},
		{"no content namespace", "<stream:stream to='verona.lit' version='1.0' xmlns:stream='" + nsStream + "'>", ` from='verona.lit' `},
		{"higher minor", "<stream:stream to='verona.lit' version='01.13' xmlns='jabber:client' xmlns:stream='" + nsStream + "'>", ` version='1.0' `},
		{"id is ignored", "<stream:stream id='mine' to='verona.lit' version='1.0' xmlns='jabber:client' xmlns:stream='" + nsStream + "'>", ` id='[A-Z2-7]{26}' `},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newHouse(t).dial()
			c.send(tt.send)
			got := c.expectAll("<stream:stream", ">")
			if !regexp.MustCompile(tt.want).MatchString(got) {
				t.Errorf("got %s", got)
			}
			c.expect(endFeatures)
		})
	}
}

// An error in the header is sent inside of a stream of ours (RFC 6120 §4.9.1.2),
// from the host asked for where that is ours (§4.9.1.3).
func TestHeaderErrors(t *testing.T) {
	const ns = " xmlns='jabber:client' xmlns:stream='" + nsStream + "'>"
	for _, tt := range []struct{ name, send, condition, from string }{
		{"no to", "<stream:stream version='1.0'" + ns, "improper-addressing", "verona.lit"},
		{"empty to", "<stream:stream to='' version='1.0'" + ns, "improper-addressing", "verona.lit"},
		{"to is no address", "<stream:stream to='a@b@c' version='1.0'" + ns, "improper-addressing", "verona.lit"},
		{"to is an account", "<stream:stream to='juliet@verona.lit' version='1.0'" + ns, "improper-addressing", "verona.lit"},
		{"unknown host", "<stream:stream to='venice.lit' version='1.0'" + ns, "host-unknown", "verona.lit"},
		{"stream namespace", "<stream:stream to='mantua.lit' version='1.0' xmlns='jabber:client' xmlns:stream='http://wrong.example/'>", "invalid-namespace", "mantua.lit"},
		{"content namespace", "<stream:stream to='mantua.lit' version='1.0' xmlns='jabber:server' xmlns:stream='" + nsStream + "'>", "invalid-namespace", "mantua.lit"},
		{"prefix", "<foobar:stream to='mantua.lit' version='1.0' xmlns='jabber:client' xmlns:foobar='" + nsStream + "'>", "bad-namespace-prefix", "mantua.lit"},
		{"root element", "<stream:strom to='mantua.lit' version='1.0'" + ns, "bad-format", "mantua.lit"},
		{"a stanza as root", "<message to='mantua.lit'><body/></message>", "invalid-namespace", "mantua.lit"},
		{"major version", "<stream:stream to='mantua.lit' version='11.0'" + ns, "unsupported-version", "mantua.lit"},
		{"version 0.9", "<stream:stream to='mantua.lit' version='0.9'" + ns, "unsupported-version", "mantua.lit"},
		{"odd version", "<stream:stream to='mantua.lit' version='1'" + ns, "unsupported-version", "mantua.lit"},
		{"not XML", "GET / HTTP/1.1\r\n\r\n", "", "verona.lit"},
		{"encoding", "<?xml version='1.0' encoding='UTF-16'?><stream:stream to='mantua.lit' version='1.0'" + ns, "unsupported-encoding", "verona.lit"},
		{"UTF-16", "\xff\xfe<\x00?\x00x\x00", "", "verona.lit"},
		{"doctype", "<!DOCTYPE x [<!ENTITY a 'b'>]><stream:stream to='mantua.lit' version='1.0'" + ns, "restricted-xml", "verona.lit"},
		{"too large", "<stream:stream to='mantua.lit' version='1.0' x='" + strings.Repeat("x", 8192) + "'" + ns, "policy-violation", "verona.lit"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newHouse(t).dial()
			go c.send(tt.send)
			got := c.expect("</stream:stream>")
			if !strings.HasPrefix(got, "<?xml version='1.0'?><stream:stream from='"+tt.from+"' id='") {
				t.Errorf("no response header: %s", got)
			}
			if !strings.Contains(got, "<stream:error><"+tt.condition) || strings.Contains(got, "features") {
				t.Errorf("want %s, got %s", tt.condition, got)
			}
			wellFormed(t, []byte(got))
			c.conn.Close()
			c.expectEnd()
		})
	}
}

// RFC 6120 §4.7.5: an older peer gets its own version, one without gets none.
func TestOldVersion(t *testing.T) {
	c := newHouse(t).dial()
	c.send(strings.Replace(header("verona.lit"), "version='1.0' xmlns", "version='0.09' xmlns", 1))
	c.expectAll("<stream:stream", "version='0.9'")
	c.expectError("unsupported-version")
	c = newHouse(t).dial()
	c.send("<stream:stream to='verona.lit' xmlns='jabber:client' xmlns:stream='" + nsStream + "'>")
	got := c.expectAll("<stream:stream", ">")
	if strings.Contains(got[len("<?xml version='1.0'?>"):], "version") {
		t.Errorf("got %s", got)
	}
	c.expectError("unsupported-version")
}

// A stream stays with the host that it was opened for, and after login with the
// account that logged in.
func TestRestartForAnother(t *testing.T) {
	for _, tt := range []struct{ name, send, condition string }{
		{"other host of ours", header("mantua.lit"), "not-authorized"},
		{"other host", header("venice.lit"), "host-unknown"},
		{"no host", header(""), "improper-addressing"},
		{"account of another domain", strings.Replace(headerVerona, " to=", " from='juliet@mantua.lit' to=", 1), "invalid-from"},
		{"other account", strings.Replace(headerVerona, " to=", " from='romeo@verona.lit' to=", 1), "invalid-from"},
		{"no header", bindIQ, "invalid-namespace"},
		{"closing tag", "</stream:stream>", "not-well-formed"},
	} {
		t.Run("after login/"+tt.name, func(t *testing.T) {
			c := newHouse(t).dial()
			c.open()
			c.send(plain("juliet", password))
			c.expectAll("<success", "</success>")
			c.send(tt.send)
			c.expectError(tt.condition)
		})
	}
	t.Run("after TLS", func(t *testing.T) {
		c := newHouse(t, withTLS).dial()
		c.upgrade()
		c.send(header("mantua.lit"))
		c.expectError("not-authorized")
	})
	t.Run("new id", func(t *testing.T) {
		c := newHouse(t).dial()
		first := c.open()
		c.send(plain("juliet", password))
		c.expect("</success>")
		id := regexp.MustCompile(`id='([^']+)'`)
		if a, b := id.FindString(first), id.FindString(c.open()); a == b {
			t.Errorf("the same stream id twice: %s", a)
		}
	})
}

// The stream's language is stamped on stanzas that have none (RFC 6120 §8.1.5),
// if it is a language tag.
func TestLanguage(t *testing.T) {
	for _, tt := range []struct{ header, want string }{
		{"it", "xml:lang='it'"}, {"de-CH", "xml:lang='de-CH'"}, {"no tag", ""}, {strings.Repeat("x", 36), ""},
	} {
		c := newHouse(t).dial()
		c.open()
		c.send(plain("juliet", password))
		c.expect("</success>")
		c.send(strings.Replace(headerVerona, "'it'", "'"+tt.header+"'", 1))
		c.expect(endFeatures)
		c.send(bindIQ)
		c.expect("</iq>")
		c.send("<message to='juliet@verona.lit/balcony'><body>x</body></message>")
		got := c.expect("</message>")
		if has := strings.Contains(got, "xml:lang"); has != (tt.want != "") || !strings.Contains(got, tt.want) {
			t.Errorf("lang %q: %s", tt.header, got)
		}
	}
}
