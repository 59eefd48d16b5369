package testclient

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Security says how a client secures its connection.
type Security uint8

// The ways to secure a connection.
const (
	Plain     Security = iota // not at all, unless StartTLS is called
	StartTLS                  // Login upgrades with STARTTLS
	DirectTLS                 // TLS from the first byte (XEP-0368)
)

// Options are the settings of one client.
type Options struct {
	Addr     string      // host:port to connect to
	Domain   string      // domain asked for in the stream header; default localhost
	Security Security    // default Plain
	TLS      *tls.Config // default: any certificate is trusted, ALPN xmpp-client for DirectTLS
	// Timeout bounds each step where the caller's context has no deadline; default 10 s.
	Timeout time.Duration
	// ReadBuffer is how many bytes the system takes for a client that doesn't read;
	// default: as it likes.
	ReadBuffer int
	// BeforeRead is called before each read of the connection, of up to 4 KiB, on a
	// goroutine of the client's: one that takes its time makes a slow reader.
	BeforeRead func()
}

func (o *Options) setDefaults() {
	if o.Domain == "" {
		o.Domain = "localhost"
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if o.TLS == nil {
		o.TLS = &tls.Config{InsecureSkipVerify: true, ServerName: o.Domain}
	}
	if o.Security == DirectTLS && o.TLS.NextProtos == nil {
		o.TLS = o.TLS.Clone()
		o.TLS.NextProtos = []string{"xmpp-client"}
	}
}

// Errors that callers tell apart. ErrStreamEnd means that the peer closed its
// stream in order, io.EOF that the connection ended without.
var (
	ErrStreamEnd = errors.New("testclient: the peer closed the stream")
	ErrQuiet     = errors.New("testclient: something arrived where nothing should")
)

// Client is one connection to a server. Its methods are called by one goroutine.
type Client struct {
	opts Options
	log  *transcript

	conn    net.Conn
	r       *bufio.Reader
	header  *Element // the peer's stream header, once Open has returned
	feats   *Element
	jid     string
	session bool // bound or resumed
	ids     int

	closing atomic.Bool // our side of the stream is closed

	// in is what the reading goroutine found and nobody has taken, guarded by mu.
	mu      sync.Mutex
	in      []*Element
	end     error         // why no more comes
	ordered bool          // the peer closed its stream before
	new     chan struct{} // gets a value whenever in or end changed
}

// Dial connects, and secures the connection if it is to be DirectTLS. It sends
// nothing else.
func Dial(ctx context.Context, o Options) (*Client, error) {
	o.setDefaults()
	c := &Client{opts: o, log: &transcript{begin: time.Now()}, new: make(chan struct{}, 1)}
	ctx, cancel := c.bound(ctx)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", o.Addr)
	if err != nil {
		return nil, fmt.Errorf("testclient: connecting to %s: %w", o.Addr, err)
	}
	c.conn = conn
	if tcp, ok := conn.(*net.TCPConn); ok && o.ReadBuffer > 0 {
		if err := tcp.SetReadBuffer(o.ReadBuffer); err != nil {
			return nil, errors.Join(fmt.Errorf("testclient: %w", err), conn.Close())
		}
	}
	c.log.remark("connected %s to %s", conn.LocalAddr(), conn.RemoteAddr())
	if o.Security == DirectTLS {
		if err := c.handshake(ctx); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	c.startReading()
	return c, nil
}

// bound gives a context the client's own limit if it has none.
func (c *Client) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, c.opts.Timeout)
}

func (c *Client) handshake(ctx context.Context) error {
	t := tls.Client(c.conn, c.opts.TLS)
	if err := t.HandshakeContext(ctx); err != nil {
		return c.fail("TLS handshake: %w", err)
	}
	c.conn = t
	cs := t.ConnectionState()
	c.log.remark("secured: %s %s, ALPN %q", tls.VersionName(cs.Version), tls.CipherSuiteName(cs.CipherSuite), cs.NegotiatedProtocol)
	return nil
}

// TLS returns the state of TLS, and false without it.
func (c *Client) TLS() (tls.ConnectionState, bool) {
	t, ok := c.conn.(*tls.Conn)
	if !ok {
		return tls.ConnectionState{}, false
	}
	return t.ConnectionState(), true
}

// JID returns the full JID that the server bound, "" before.
func (c *Client) JID() string { return c.jid }

// HasSession reports whether the stream has a session: one of its own, or one that it
// resumed, as far as that was expected and came.
func (c *Client) HasSession() bool { return c.session }

// Header returns the server's stream header; Features what it offered last.
func (c *Client) Header() *Element { return c.header }

// Features returns the stream features that came last.
func (c *Client) Features() *Element { return c.feats }

// Transcript returns everything that went over the stream.
func (c *Client) Transcript() string { return c.log.String() }

// fail makes an error that carries the transcript.
func (c *Client) fail(format string, args ...any) error {
	return &StreamError{Err: fmt.Errorf("testclient: "+format, args...), Transcript: c.Transcript()}
}

// StreamError is what went wrong on a stream, with everything that went before.
type StreamError struct {
	Err        error
	Transcript string
}

// Error returns what went wrong, and the transcript under it.
func (e *StreamError) Error() string { return e.Err.Error() + "\ntranscript:\n" + e.Transcript }

// Unwrap returns what went wrong.
func (e *StreamError) Unwrap() error { return e.Err }

// notedReader notes what it reads in a transcript.
type notedReader struct {
	r      io.Reader
	log    *transcript
	before func()
}

func (n notedReader) Read(p []byte) (int, error) {
	if n.before != nil {
		n.before()
	}
	k, err := n.r.Read(p)
	if k > 0 {
		n.log.add('<', p[:k])
	}
	return k, err
}

// startReading begins a new document on the connection.
func (c *Client) startReading() {
	if c.r == nil {
		c.r = bufio.NewReader(notedReader{c.conn, c.log, c.opts.BeforeRead})
	}
	go c.read(c.r)
}

// read hands over the elements of a stream until its end, until the stream has
// to be begun anew (SASL success), or until TLS has to start.
func (c *Client) read(r *bufio.Reader) {
	d := xml.NewDecoder(r)
	d.Strict = true
	depth := 0
	for {
		tok, err := d.Token()
		if err != nil {
			c.put(nil, err)
			return
		}
		switch tok := tok.(type) {
		case xml.EndElement:
			c.put(nil, ErrStreamEnd)
			c.answerEnd()
			_, err := io.Copy(io.Discard, r)
			c.log.remark("connection ended: %v", err)
			c.put(nil, io.EOF)
			return
		case xml.StartElement:
			depth++
			if depth == 1 {
				c.put(&Element{Name: tok.Name, Attr: plainAttrs(tok.Attr)}, nil)
				continue
			}
			depth--
			e, err := ReadElement(d, tok)
			if err != nil {
				c.put(nil, err)
				return
			}
			c.put(e, nil)
			if e.Name.Space == nsTLS && e.Name.Local == "proceed" {
				return
			}
			if e.Name.Space == nsSASL && e.Name.Local == "success" {
				d, depth = xml.NewDecoder(r), 0
			}
		}
	}
}

func (c *Client) put(e *Element, err error) {
	c.mu.Lock()
	if e != nil {
		c.in = append(c.in, e)
	}
	if err != nil {
		c.end = err
		c.ordered = c.ordered || errors.Is(err, ErrStreamEnd)
	}
	c.mu.Unlock()
	select {
	case c.new <- struct{}{}:
	default:
	}
}

// take waits until pick chooses one of the elements that wait. pick gets them
// in order of arrival and returns an index, or a negative one to wait on.
func (c *Client) take(ctx context.Context, pick func([]*Element) int) (*Element, error) {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	for {
		c.mu.Lock()
		if i := pick(c.in); i >= 0 {
			e := c.in[i]
			if i == 0 { // most are taken as they came, and there may be many
				c.in[0] = nil
				c.in = c.in[1:]
			} else {
				c.in = append(c.in[:i:i], c.in[i+1:]...)
			}
			c.mu.Unlock()
			return e, nil
		}
		end := c.end
		c.mu.Unlock()
		if end != nil {
			return nil, end
		}
		select {
		case <-c.new:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Send writes raw bytes.
func (c *Client) Send(raw string) error {
	c.log.add('>', []byte(raw))
	if err := c.conn.SetWriteDeadline(time.Now().Add(c.opts.Timeout)); err != nil {
		return c.fail("sending: %w", err)
	}
	if _, err := io.WriteString(c.conn, raw); err != nil {
		return c.fail("sending: %w", err)
	}
	return nil
}

// answerEnd closes our side of a stream that the peer closed, unless we did
// before (RFC 6120 §4.4). Nothing else is sent after that, so it may happen on
// the reading goroutine; whether the peer still hears it doesn't matter.
func (c *Client) answerEnd() {
	if !c.closing.Swap(true) {
		_ = c.Send("</stream:stream>")
	}
}

// Close ends the stream in order: it closes its own side, waits until the server
// closed the other and the connection, and returns what arrived meanwhile.
func (c *Client) Close(ctx context.Context) ([]*Element, error) {
	if !c.closing.Swap(true) {
		if err := c.Send("</stream:stream>"); err != nil {
			return nil, err
		}
	}
	rest, err := c.WaitEnd(ctx)
	return rest, errors.Join(err, c.conn.Close())
}

// WaitEnd waits until the server closed its stream and the connection and
// returns what arrived before and nobody took.
func (c *Client) WaitEnd(ctx context.Context) ([]*Element, error) {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	for {
		c.mu.Lock()
		rest, end, ordered := c.in, c.end, c.ordered
		c.mu.Unlock()
		switch {
		case errors.Is(end, io.EOF) && ordered:
			return rest, nil
		case end != nil && !errors.Is(end, ErrStreamEnd):
			return rest, c.fail("the stream didn't end in order: %w", end)
		}
		select {
		case <-c.new:
		case <-ctx.Done():
			return rest, c.fail("the server didn't close the stream and the connection: %w", ctx.Err())
		}
	}
}

// WaitGone waits until nothing more can come: the connection ended, in order
// or not, or what came wasn't XML.
func (c *Client) WaitGone(ctx context.Context) error {
	_, err := c.take(ctx, func([]*Element) int { return -1 })
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return c.fail("the connection goes on: %w", err)
	}
	return nil
}

// Cut ends the connection as a network failure does: nothing more is sent, and
// the peer gets a reset where the system can do that.
func (c *Client) Cut() error {
	raw := c.conn
	if t, ok := raw.(*tls.Conn); ok {
		raw = t.NetConn()
	}
	c.log.remark("cut")
	if tcp, ok := raw.(*net.TCPConn); ok {
		if err := tcp.SetLinger(0); err != nil {
			return c.fail("cutting: %w", err)
		}
	}
	return raw.Close()
}
