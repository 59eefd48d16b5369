package performance

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/xdg-go/scram"
)

// client is a connection that knows just enough XMPP to log in; it costs as
// little as it can, for it shares the machine with what is measured.
type client struct {
	b    *testing.B
	conn net.Conn
	buf  []byte // read and not yet looked at
	jid  string
}

func dial(b *testing.B, s *server, secure bool) *client {
	b.Helper()
	var conn net.Conn
	var err error
	if secure {
		conn, err = tls.Dial("tcp", s.addrs["c2s-tls"], &tls.Config{InsecureSkipVerify: true, ServerName: "localhost"})
	} else {
		conn, err = net.Dial("tcp", s.addrs["c2s-insecure"])
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(10 * time.Minute))
	return &client{b: b, conn: conn}
}

// login logs in, binds, asks for the roster and becomes available.
func login(b *testing.B, s *server, secure bool, user, resource string) *client {
	b.Helper()
	c := dial(b, s, secure)
	c.header()
	c.authenticate(user)
	c.header()
	c.send("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>%s</resource></bind></iq>", resource)
	c.until("</iq>")
	c.jid = user + "@localhost/" + resource
	c.send("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq><presence/>")
	c.until("<presence ")
	c.until(">")
	return c
}

// authenticate logs in by SCRAM-SHA-256, which costs the server next to nothing.
func (c *client) authenticate(user string) {
	c.b.Helper()
	auth, err := scram.SHA256.NewClient(user, "password", "")
	if err != nil {
		c.b.Fatal(err)
	}
	x := auth.WithMinIterations(4096).NewConversation()
	step := func(challenge string) string {
		next, err := x.Step(challenge)
		if err != nil {
			c.b.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString([]byte(next))
	}
	c.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-256'>%s</auth>", step(""))
	c.until("<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>")
	challenge, err := base64.StdEncoding.DecodeString(c.text("</challenge>"))
	if err != nil {
		c.b.Fatal(err)
	}
	c.send("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>%s</response>", step(string(challenge)))
	c.until("</success>")
}

// text reads and returns what stands before an end, which it takes too.
func (c *client) text(end string) string {
	c.b.Helper()
	var before []byte
	for {
		if at := bytes.Index(c.buf, []byte(end)); at >= 0 {
			before = bytes.Clone(c.buf[:at])
			break
		}
		c.more(end)
	}
	c.until(end)
	return string(before)
}

func (c *client) more(waitingFor string) {
	c.b.Helper()
	chunk := make([]byte, 4096)
	n, err := c.conn.Read(chunk)
	if err != nil {
		c.b.Fatalf("waiting for %s: %v; read %s", waitingFor, err, c.buf)
	}
	c.buf = append(c.buf, chunk[:n]...)
}

func (c *client) header() {
	c.send("<?xml version='1.0'?><stream:stream to='localhost' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>")
	c.until("</stream:features>")
}

func (c *client) send(format string, args ...any) {
	if _, err := fmt.Fprintf(c.conn, format, args...); err != nil {
		c.b.Fatal(err)
	}
}

// until reads up to and including a text.
func (c *client) until(text string) {
	c.b.Helper()
	for {
		if at := bytes.Index(c.buf, []byte(text)); at >= 0 {
			c.buf = c.buf[at+len(text):]
			return
		}
		c.more(text)
	}
}

// count reads until that many messages have come, of which it knows the end.
func (c *client) count(messages int) {
	end := []byte("</message>")
	chunk := make([]byte, 64<<10)
	for {
		for messages > 0 {
			at := bytes.Index(c.buf, end)
			if at < 0 {
				break
			}
			c.buf = c.buf[at+len(end):]
			messages--
		}
		if messages == 0 {
			return
		}
		n, err := c.conn.Read(chunk)
		if err != nil {
			c.b.Error(err)
			return
		}
		c.buf = append(c.buf, chunk[:n]...)
	}
}
