package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"weir/integration/testclient"

	"github.com/xdg-go/scram"
)

// Namespaces.
const (
	nsStreams = "http://etherx.jabber.org/streams"
	nsSASL    = "urn:ietf:params:xml:ns:xmpp-sasl"
	nsBind    = "urn:ietf:params:xml:ns:xmpp-bind"
	nsErrors  = "urn:ietf:params:xml:ns:xmpp-streams"
	nsSM      = "urn:xmpp:sm:3"
	nsSID     = "urn:xmpp:sid:0"
	nsDelay   = "urn:xmpp:delay"
)

// domain is the one that the server under test serves.
const domain = "localhost"

// receiveBuffer is the kernel's buffer for what a client has not read: small, so
// that a client that stops reading is soon felt by the server.
const receiveBuffer = 16 << 10

// stream is one connection of a client. Until deliver is called it is read by
// next, then by a goroutine of its own.
type stream struct {
	process  uint32 // of the server
	conn     net.Conn
	tcp      *net.TCPConn
	r        *bufio.Reader
	d        *xml.Decoder
	features *testclient.Element

	patience time.Duration // for a write, once deliver was called

	in   chan *testclient.Element // what deliver read; unbuffered, so that who doesn't take stops the reading
	end  error                    // why in was closed
	left chan struct{}            // closed when nobody takes any more
	gone chan struct{}            // closed when the connection has ended
	// last is the stream error that came after left was closed, valid after gone.
	last string
}

// dial connects, with TLS from the first byte where secure.
func dial(ctx context.Context, addr string, secure bool) (*stream, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	s := &stream{conn: conn, tcp: conn.(*net.TCPConn), in: make(chan *testclient.Element),
		left: make(chan struct{}), gone: make(chan struct{})}
	_ = s.tcp.SetReadBuffer(receiveBuffer) // it only makes some faults likelier
	if secure {
		t := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, ServerName: domain, NextProtos: []string{"xmpp-client"}})
		if err := t.HandshakeContext(ctx); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		s.conn = t
	}
	s.r = bufio.NewReader(s.conn)
	if deadline, ok := ctx.Deadline(); ok {
		if err := s.conn.SetDeadline(deadline); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return s, nil
}

// send writes raw bytes.
func (s *stream) send(raw string) error {
	if s.patience > 0 {
		if err := s.conn.SetWriteDeadline(time.Now().Add(s.patience)); err != nil {
			return err
		}
	}
	_, err := io.WriteString(s.conn, raw)
	return err
}

// open sends a stream header and reads the server's, and its features.
func (s *stream) open() error {
	if err := s.send("<?xml version='1.0'?><stream:stream to='" + domain + "' version='1.0' xmlns='jabber:client' xmlns:stream='" + nsStreams + "'>"); err != nil {
		return err
	}
	s.d = xml.NewDecoder(s.r)
	for {
		tok, err := s.d.Token()
		if err != nil {
			return err
		}
		if start, ok := tok.(xml.StartElement); ok {
			if start.Name.Space != nsStreams || start.Name.Local != "stream" {
				return fmt.Errorf("not a stream header: <%s>", start.Name.Local)
			}
			break
		}
	}
	e, err := s.next()
	if err != nil {
		return err
	}
	if isStreamError(e) {
		return &ended{e}
	}
	if e.Name.Space != nsStreams || e.Name.Local != "features" {
		return fmt.Errorf("not stream features: %s", e)
	}
	s.features = e
	return nil
}

// errClosed says that the server closed the stream in order.
var errClosed = errors.New("the server closed the stream")

// ended is a stream error that came while logging in.
type ended struct{ e *testclient.Element }

func (e *ended) Error() string { return "stream error " + conditionOf(e.e) }

// isStreamError reports whether an element ends the stream (RFC 6120 §4.9).
func isStreamError(e *testclient.Element) bool {
	return e.Name.Space == nsStreams && e.Name.Local == "error"
}

// next reads one element.
func (s *stream) next() (*testclient.Element, error) {
	for {
		tok, err := s.d.Token()
		if err != nil {
			return nil, err
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			return testclient.ReadElement(s.d, tok)
		case xml.EndElement:
			return nil, errClosed
		}
	}
}

// refusal is a SASL failure (RFC 6120 §6.5).
type refusal struct{ condition string }

func (r *refusal) Error() string { return "login refused: " + r.condition }

// login authenticates by SCRAM-SHA-256 and opens the stream anew.
func (s *stream) login(c *scram.Client) error {
	if err := s.open(); err != nil {
		return err
	}
	return s.authenticate(c)
}

// authenticate is login on a stream that is open.
func (s *stream) authenticate(c *scram.Client) error {
	conv := c.NewConversation()
	msg, err := conv.Step("")
	if err != nil {
		return err
	}
	out := "<auth xmlns='" + nsSASL + "' mechanism='SCRAM-SHA-256'>" + base64.StdEncoding.EncodeToString([]byte(msg)) + "</auth>"
	for {
		if err := s.send(out); err != nil {
			return err
		}
		e, err := s.next()
		if err != nil {
			return err
		}
		if isStreamError(e) {
			return &ended{e}
		}
		if e.Name.Space != nsSASL || e.Name.Local == "failure" || e.Name.Local != "challenge" && e.Name.Local != "success" {
			return &refusal{conditionOf(e)}
		}
		data, err := base64.StdEncoding.DecodeString(strings.TrimSpace(e.Text))
		if err != nil {
			return err
		}
		reply, err := conv.Step(string(data))
		if err != nil {
			return err
		}
		if e.Name.Local == "success" {
			return s.open()
		}
		out = "<response xmlns='" + nsSASL + "'>" + base64.StdEncoding.EncodeToString([]byte(reply)) + "</response>"
	}
}

// conditionOf returns the name of the first child that is no text.
func conditionOf(e *testclient.Element) string {
	for _, c := range e.Children {
		if c.Name.Local != "text" {
			return c.Name.Local
		}
	}
	return e.String()
}

// deliver begins to read into in, until the stream ends. Once leave was called,
// what comes is thrown away, but for the stream error. A write may take as long as
// patience from now on: a server that is fed and doesn't read what it asked for
// would otherwise hold up a client for ever.
func (s *stream) deliver(patience time.Duration) error {
	s.patience = patience
	if err := s.conn.SetDeadline(time.Time{}); err != nil {
		return err
	}
	go func() {
		defer close(s.gone)
		for {
			e, err := s.next()
			if err != nil {
				s.end = err
				close(s.in)
				return
			}
			select {
			case s.in <- e:
			case <-s.left:
				if isStreamError(e) {
					s.last = conditionOf(e)
				}
			}
		}
	}()
	return nil
}

// leave stops taking. The connection stays open.
func (s *stream) leave() { close(s.left) }

// cut ends the connection as a network or a crash does: the stream isn't closed;
// with reset the peer is told by RST, and what is on the way to it is lost.
func (s *stream) cut(reset bool) {
	if reset {
		_ = s.tcp.SetLinger(0) // else it is a FIN, which is a cut too
	}
	_ = s.tcp.Close() // without TLS's goodbye
}
