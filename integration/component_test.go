package integration_test

import (
	"bufio"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"weir/integration/testclient"
	"weir/integration/testserver"
)

const componentSecret = "correct horse battery"

// componentServer starts a server that takes the components irc and muc.
func componentServer(t *testing.T) (s *testserver.Server, addr string) {
	t.Helper()
	return componentServerWith(t, "")
}

// componentServerWith is componentServer with more settings of components.
func componentServerWith(t *testing.T, settings string) (s *testserver.Server, addr string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "components")
	if err := os.WriteFile(file, []byte("irc.localhost "+componentSecret+"\nmuc.localhost "+componentSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s = testserver.Start(t, testserver.Options{Binary: binary, Accounts: accounts, Args: []string{"--component", "127.0.0.1:0"},
		Config: fmt.Sprintf("[component]\nsecret_file = %q\n", file) + settings})
	return s, componentAddr(t, s)
}

// componentAddr is where the server last started listens for components.
func componentAddr(t *testing.T, s *testserver.Server) string {
	t.Helper()
	all := regexp.MustCompile(`listener=component addr=(\S+)`).FindAllStringSubmatch(s.Output(), -1)
	if all == nil {
		t.Fatalf("no address in\n%s", s.Output())
	}
	return all[len(all)-1][1]
}

// raw is a component that says what a test has it say.
type raw struct {
	t  *testing.T
	c  net.Conn
	in *bufio.Reader
}

func dialRaw(t *testing.T, addr string) *raw {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &raw{t, c, bufio.NewReader(c)}
}

func (r *raw) send(x string) {
	r.t.Helper()
	if _, err := r.c.Write([]byte(x)); err != nil {
		r.t.Fatal(err)
	}
}

// until reads up to and with a text; the end of the connection is told.
func (r *raw) until(text string) string {
	r.t.Helper()
	var b strings.Builder
	for !strings.HasSuffix(b.String(), text) {
		x, err := r.in.ReadByte()
		if err != nil {
			r.t.Fatalf("%v, and no %q in %q", err, text, b.String())
		}
		b.WriteByte(x)
	}
	return b.String()
}

const componentHeader = "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' to='%s'>"

// component connects and proves that it is a domain.
func component(t *testing.T, addr, domain string) *raw {
	t.Helper()
	r := dialRaw(t, addr)
	r.send(fmt.Sprintf(componentHeader, domain))
	head := r.until("'>")
	r.send("<handshake>" + handshakeFor(head, componentSecret) + "</handshake>")
	r.until("<handshake/>")
	return r
}

func handshakeFor(head, secret string) string {
	id := regexp.MustCompile(` id='([^']*)'`).FindStringSubmatch(head)
	if id == nil {
		return ""
	}
	h := sha1.Sum([]byte(id[1] + secret))
	return hex.EncodeToString(h[:])
}

// TestComponent: both ways, in order, each with its own namespace; discovery lists it while it is
// connected; what comes when it isn't is answered.
func TestComponent(t *testing.T) {
	s, addr := componentServer(t)
	juliet := dialLogin(t, s, "juliet")
	romeo := dialLogin(t, s, "romeo")
	for _, c := range []*testclient.Client{juliet, romeo} {
		if err := c.Send("<presence/>"); err != nil {
			t.Fatal(err)
		}
		if err := c.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.Drain()
	}
	items := func() string {
		t.Helper()
		e, err := juliet.IQ(t.Context(), "get", "localhost", "<query xmlns='http://jabber.org/protocol/disco#items'/>")
		if err != nil {
			t.Fatal(err)
		}
		return e.String()
	}
	gone := func() {
		t.Helper()
		if _, err := juliet.IQ(t.Context(), "get", "irc.localhost", "<query xmlns='jabber:iq:version'/>"); err == nil || !strings.Contains(err.Error(), "service-unavailable") {
			t.Errorf("nobody is there, and: %v", err)
		}
		if got := items(); strings.Contains(got, "irc.localhost") {
			t.Errorf("listed: %s", got)
		}
	}
	expect := func(c *testclient.Client, pattern string) {
		t.Helper()
		if _, err := c.ExpectStanza(t.Context(), pattern, testclient.Vars{}); err != nil {
			t.Error(err)
		}
	}
	gone()
	irc := component(t, addr, "irc.localhost")
	if got := items(); !strings.Contains(got, "irc.localhost") || strings.Contains(got, "muc.localhost") {
		t.Errorf("listed: %s", got)
	}
	// From a client to the component, and back.
	if err := juliet.Send("<message to='#verona@irc.localhost' type='chat' id='m1'><body>hi &amp; ho</body></message>" +
		"<iq type='get' id='v1' to='irc.localhost'><query xmlns='jabber:iq:version'/></iq>"); err != nil {
		t.Fatal(err)
	}
	if got := irc.until("</iq>"); got != "<message from='juliet@localhost/x' to='#verona@irc.localhost' id='m1' type='chat'"+
		" xml:lang='en'><body>hi &amp; ho</body></message><iq from='juliet@localhost/x' to='irc.localhost' id='v1' type='get' xml:lang='en'><query xmlns='jabber:iq:version'/></iq>" {
		t.Errorf("the component got %s", got)
	}
	irc.send("<iq type='result' id='v1' from='irc.localhost' to='juliet@localhost/x'><query xmlns='jabber:iq:version'><name>irc</name></query></iq>" +
		"<message from='#verona@irc.localhost/romeo' to='juliet@localhost' type='chat'><body>ho</body></message>")
	expect(juliet, "<iq type='result' id='v1' from='irc.localhost' ...><query xmlns='jabber:iq:version'><name>irc</name></query></iq>")
	expect(juliet, "<message type='chat' from='#verona@irc.localhost/romeo' to='juliet@localhost' ...><body>ho</body>...</message>")
	// What the component asks the server, and who isn't there.
	irc.send("<iq type='get' id='d1' from='irc.localhost' to='localhost'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>")
	if got := irc.until("</iq>"); !strings.HasPrefix(got, "<iq from='localhost' to='irc.localhost' id='d1' type='result'") {
		t.Errorf("the component got %s", got)
	}
	irc.send("<message from='x@irc.localhost' to='nobody@localhost' id='n1'><body>hi</body></message>")
	if got := irc.until("</message>"); !strings.Contains(got, "type='error'") || !strings.Contains(got, "service-unavailable") {
		t.Errorf("the component got %s", got)
	}
	// Directed presence, and the goodbye for whoever got it.
	if err := juliet.Send("<presence to='#verona@irc.localhost/juliet'/>"); err != nil {
		t.Fatal(err)
	}
	if got := irc.until("/>"); !strings.HasPrefix(got, "<presence from='juliet@localhost/x' to='#verona@irc.localhost/juliet'") {
		t.Errorf("the component got %s", got)
	}
	irc.send("<presence from='#verona@irc.localhost/romeo' to='juliet@localhost/x'/>")
	expect(juliet, "<presence from='#verona@irc.localhost/romeo' to='juliet@localhost/x' .../>")
	// One component to another.
	muc := component(t, addr, "muc.localhost")
	muc.send("<message from='a@muc.localhost' to='b@irc.localhost'><body>hi</body></message>")
	if got := irc.until("</message>"); !strings.Contains(got, "from='a@muc.localhost'") {
		t.Errorf("the component got %s", got)
	}
	// A subscription, and the presence that follows.
	if err := romeo.Send("<presence type='subscribe' to='bot@irc.localhost'/>"); err != nil {
		t.Fatal(err)
	}
	if got := irc.until(">"); !strings.Contains(got, "from='romeo@localhost' to='bot@irc.localhost'") || !strings.Contains(got, "type='subscribe'") {
		t.Errorf("the component got %s", got)
	}
	irc.send("<presence type='subscribed' from='bot@irc.localhost' to='romeo@localhost'/><presence from='bot@irc.localhost' to='romeo@localhost'><status>here</status></presence>" +
		"<presence type='subscribe' from='bot@irc.localhost' to='romeo@localhost'/>")
	expect(romeo, "<presence from='bot@irc.localhost' ...><status>here</status></presence>")
	expect(romeo, "<presence type='subscribe' from='bot@irc.localhost' .../>")
	if err := romeo.Send("<presence type='subscribed' to='bot@irc.localhost'/>"); err != nil {
		t.Fatal(err)
	}
	got := irc.until(">") + irc.until(">")
	if !strings.Contains(got, "type='subscribed'") || !strings.Contains(got, "from='romeo@localhost/x' to='bot@irc.localhost'") {
		t.Errorf("the component got %s", got)
	}
	// Ends.
	if _, err := juliet.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := irc.until("/>"); !strings.Contains(got, "from='juliet@localhost/x' to='#verona@irc.localhost/juliet'") || !strings.Contains(got, "type='unavailable'") {
		t.Errorf("the component got %s", got)
	}
	juliet = dialLogin(t, s, "juliet")
	again := component(t, addr, "irc.localhost") // who has the secret is it
	if got := irc.until("</stream:stream>"); !strings.Contains(got, "<conflict ") {
		t.Errorf("the old one got %s", got)
	}
	again.send("</stream:stream>")
	again.until("</stream:stream>")
	gone()
	component(t, addr, "irc.localhost")
	s.Stop()
	if got := muc.until("</stream:stream>"); !strings.Contains(got, "<system-shutdown ") {
		t.Errorf("at the end a component got %s", got)
	}
}

// TestComponentInTheArchive: both directions of a talk with a component are in the archive of
// the account, in order and also after a crash.
func TestComponentInTheArchive(t *testing.T) {
	s, addr := componentServer(t)
	irc, juliet := component(t, addr, "irc.localhost"), dialLogin(t, s, "juliet")
	if _, err := juliet.IQ(t.Context(), "set", "", "<prefs xmlns='urn:xmpp:mam:2' default='always'><always/><never/></prefs>"); err != nil {
		t.Fatal(err)
	}
	if err := juliet.Send("<message to='room@irc.localhost' type='chat' id='a'><body>one</body></message>"); err != nil {
		t.Fatal(err)
	}
	if got := irc.until("</message>"); !strings.Contains(got, "<body>one") || strings.Contains(got, "stanza-id") {
		t.Errorf("the component got %s", got)
	}
	irc.send("<message from='room@irc.localhost' to='juliet@localhost/x' type='chat' id='b'><body>two</body></message>")
	if m := nextMessage(t, juliet); m.Child("urn:xmpp:sid:0", "stanza-id") == nil {
		t.Errorf("she got %s", m)
	}
	if err := juliet.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	s.Again()
	juliet = dialLogin(t, s, "juliet")
	const with = "<query xmlns='urn:xmpp:mam:2'><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>urn:xmpp:mam:2</value></field>" +
		"<field var='with'><value>room@irc.localhost</value></field></x></query>"
	if _, err := juliet.IQ(t.Context(), "set", "", with); err != nil {
		t.Fatal(err)
	}
	var bodies []string
	for _, e := range juliet.Drain() {
		bodies = append(bodies, regexp.MustCompile(`<body>(\w*)`).FindString(e.String()))
	}
	if got := strings.Join(bodies, " "); got != "<body>one <body>two" {
		t.Errorf("the archive has %s", got)
	}
	s.Stop()
}

// TestComponentsLastWords: what a component sends before its closing tag, before a mistake
// or before its connection ends gets where it goes, also where all comes in one read.
func TestComponentsLastWords(t *testing.T) {
	s, addr := componentServer(t)
	juliet := dialLogin(t, s, "juliet")
	if err := juliet.Send("<presence/>"); err != nil {
		t.Fatal(err)
	}
	if err := juliet.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	juliet.Drain()
	for end, want := range map[string]string{
		"</stream:stream>": "</stream:stream>",
		"<a>&b;</a>":       "<restricted-xml ",
		"<message from='room@irc.localhost'><body>to nobody</body></message>": "<improper-addressing ",
		"": "",
	} {
		irc := component(t, addr, "irc.localhost")
		var words strings.Builder
		for i := range 20 {
			fmt.Fprintf(&words, "<message from='room@irc.localhost' to='juliet@localhost' type='chat'><body>%d</body></message>", i)
		}
		irc.send(words.String() + end)
		if end == "" {
			irc.c.Close()
		} else if got := irc.until("</stream:stream>"); !strings.Contains(got, want) {
			t.Errorf("%q was answered %s", end, got)
		}
		for i := range 20 {
			if m := nextMessage(t, juliet); !strings.Contains(m.String(), fmt.Sprintf("<body>%d<", i)) {
				t.Fatalf("before %q: she got %s in place of %d", end, m, i)
			}
		}
	}
	s.Stop()
}

// TestBadComponents: each mistake ends the one stream, with the right condition.
func TestBadComponents(t *testing.T) {
	s, addr := componentServer(t)
	for what, x := range map[string]struct{ header, then, want string }{
		"unknown domain":   {fmt.Sprintf(componentHeader, "other.localhost"), "", "host-unknown"},
		"our own domain":   {fmt.Sprintf(componentHeader, "localhost"), "", "host-unknown"},
		"no domain":        {fmt.Sprintf(componentHeader, ""), "", "host-unknown"},
		"an account":       {fmt.Sprintf(componentHeader, "a@irc.localhost"), "", "host-unknown"},
		"client namespace": {strings.Replace(fmt.Sprintf(componentHeader, "irc.localhost"), "component:accept", "client", 1), "", "invalid-namespace"},
		"no XML":           {"GET / HTTP/1.1\r\n\r\n", "", "not-well-formed"},
		"a DTD":            {"<!DOCTYPE x>", "", "restricted-xml"},
		"wrong proof":      {fmt.Sprintf(componentHeader, "irc.localhost"), "<handshake>aaee83c26aeeafcbabeabfcbcd50df997e0a2a1e</handshake>", "not-authorized"},
		"empty proof":      {fmt.Sprintf(componentHeader, "irc.localhost"), "<handshake/>", "not-authorized"},
		"stanza first":     {fmt.Sprintf(componentHeader, "irc.localhost"), "<message from='irc.localhost' to='juliet@localhost'><body/></message>", "not-authorized"},
	} {
		r := dialRaw(t, addr)
		r.send(x.header)
		if x.then != "" {
			r.until("'>")
			r.send(x.then)
		}
		if got := r.until("</stream:stream>"); !strings.Contains(got, "<stream:error><"+x.want+" ") || x.then == "" && !strings.Contains(got, "<stream:stream ") {
			t.Errorf("%s: %s, want %s", what, got, x.want)
		}
	}
	for what, x := range map[string]struct{ xml, want string }{
		"no from":            {"<message to='juliet@localhost'><body>x</body></message>", "invalid-from"},
		"somebody else":      {"<message from='romeo@localhost' to='juliet@localhost'><body>x</body></message>", "invalid-from"},
		"another component":  {"<message from='muc.localhost' to='juliet@localhost'><body>x</body></message>", "invalid-from"},
		"no to":              {"<message from='irc.localhost'><body>x</body></message>", "improper-addressing"},
		"no stanza":          {"<book from='irc.localhost' to='juliet@localhost'/>", "unsupported-stanza-type"},
		"another namespace":  {"<message xmlns='jabber:server' from='irc.localhost' to='juliet@localhost'/>", "invalid-namespace"},
		"too large":          {"<message from='irc.localhost' to='juliet@localhost'><body>" + strings.Repeat("x", 300<<10) + "</body></message>", "policy-violation"},
		"not well-formed":    {"<message from='irc.localhost' to='juliet@localhost'></presence>", "not-well-formed"},
		"processing":         {"<?php?>", "restricted-xml"},
		"the header's error": {"<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>", ""},
	} {
		r := component(t, addr, "irc.localhost")
		r.send(x.xml)
		got := r.until("</stream:stream>")
		if x.want != "" && !strings.Contains(got, "<stream:error><"+x.want+" ") || x.want == "" && got != "</stream:stream>" {
			t.Errorf("%s: %s, want %s", what, got, x.want)
		}
	}
	r := component(t, addr, "irc.localhost") // all is well
	r.send("<iq from='irc.localhost' to='localhost' type='get' id='1'/><iq from='irc.localhost' to='localhost' type='get' id='2'><ping xmlns='urn:xmpp:ping'/></iq>")
	got := r.until("</iq>") + r.until("/>")
	if !strings.Contains(got, "<bad-request ") || !strings.Contains(got, "id='2' type='result'") {
		t.Errorf("%s", got)
	}
	s.Stop()
}
