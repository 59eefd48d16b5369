package c2s

import (
	"errors"
	"io"
	"strings"
	"testing"

	"weir/netserver"
	"weir/sessionmgr"

	"mellium.im/xmpp/stream"
)

// link returns the stream of the one session there is.
func (h *house) link() *Stream {
	h.t.Helper()
	var l sessionmgr.Link
	h.sm.Range(func(s *sessionmgr.Session) bool { l = s.Link(); return l == nil })
	return l.(*Stream)
}

// Every condition of RFC 6120 §4.9.3 can be sent, in every state, by anybody.
func TestEveryStreamError(t *testing.T) {
	for condition := range conditions {
		t.Run(condition, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			c := h.dial().bind("juliet", "balcony")
			e := &stream.Error{Err: condition}
			e.Text = append(e.Text, struct{ Lang, Value string }{"", "why & <how>"})
			h.link().Close(e)
			got := c.expect("</stream:stream>")
			if want := "<stream:error><" + condition + " xmlns='" + nsErrors + "'/><text xmlns='" + nsErrors +
				"' xml:lang='en'>why &amp; &lt;how&gt;</text></stream:error></stream:stream>"; got != want {
				t.Errorf("got %s\nwant %s", got, want)
			}
			c.send("</stream:stream>")
			c.expectEnd()
			if cause := h.cause(); !strings.HasPrefix(cause.Text, condition+": why") {
				t.Errorf("cause: %v", cause)
			}
		})
	}
}

func TestStreamErrorForms(t *testing.T) {
	e := stream.SeeOtherHost
	e.Content = "[2001:db8::1]:5222"
	for _, tt := range []struct {
		e    *stream.Error
		want string
	}{
		{&e, "<see-other-host xmlns='" + nsErrors + "'>[2001:db8::1]:5222</see-other-host>"},
		{&stream.Error{Err: "made-up><x"}, "<undefined-condition xmlns='" + nsErrors + "'/>"},
		{streamError(stream.Reset, "a\x00\u0001b\nc\ufffe"), "<text xmlns='" + nsErrors + "' xml:lang='en'>a\ufffd\ufffdb c\ufffd</text>"},
	} {
		got := string(appendStreamError(nil, tt.e, nil))
		if !strings.Contains(got, tt.want) {
			t.Errorf("got %s", got)
		}
		wellFormed(t, []byte("<stream:stream xmlns:stream='x'>"+got))
	}
	if len(stream.Reset.Text) != 0 {
		t.Error("a shared error got a text")
	}
}

// An error in any state comes inside of a stream (RFC 6120 §4.9.1.2), also
// before the client opened one and while it is to restart one.
func TestCloseBeforeHeader(t *testing.T) {
	h := newHouse(t)
	c := h.dial()
	c.send(" ")
	for c.unseen() == "" {
		if l := h.tryLink(); l != nil {
			l.Close(&stream.SystemShutdown)
			break
		}
	}
	got := c.expect("</stream:stream>")
	if !strings.HasPrefix(got, "<?xml version='1.0'?><stream:stream from='verona.lit' id='") || !strings.Contains(got, "<system-shutdown") {
		t.Errorf("got %s", got)
	}
	c.send(headerVerona + "</stream:stream>")
	c.expectEnd()

	c = h.dial()
	c.open()
	c.send(plain("juliet", password))
	c.expect("</success>")
	h.link().Close(&stream.SystemShutdown)
	if got := c.expect("</stream:stream>"); !strings.HasPrefix(got, "<?xml version='1.0'?><stream:stream from='verona.lit' id='") {
		t.Errorf("got %s", got)
	}
}

func (h *house) tryLink() (l sessionmgr.Link) {
	h.sm.Range(func(s *sessionmgr.Session) bool { l = s.Link(); return false })
	return l
}

// Closed without an error, and from many sides: one closing tag.
func TestCloseOnce(t *testing.T) {
	h := newHouse(t)
	c := h.dial().bind("juliet", "balcony")
	l := h.link()
	for range 8 {
		go l.Close(nil)
	}
	if got := c.expect("</stream:stream>"); got != "</stream:stream>" {
		t.Errorf("got %s", got)
	}
	if err := l.Send(func(dst []byte) []byte { return append(dst, "<late/>"...) }); !errors.Is(err, netserver.ErrClosed) {
		t.Errorf("sending after the end: %v", err)
	}
	c.send("<message to='juliet@verona.lit/balcony'/></stream:stream>")
	if rest := c.expectEnd(); rest != "" {
		t.Errorf("after the end: %s", rest)
	}
	if got := h.cause(); got.Code != sessionmgr.Kicked {
		t.Errorf("cause: %v", got)
	}
}

// The peer's closing tag is found however it is cut, and in any of its forms.
func TestPeerCloses(t *testing.T) {
	for _, parts := range [][]string{
		{"<presence/></stream:stream>"}, {"</stre", "am:str", "eam>"}, {"<", "/", "stream:stream>"}, {"</stream:stream >"},
	} {
		h := newHouse(t)
		c := h.dial().bind("juliet", "balcony")
		for _, p := range parts {
			c.send(p)
		}
		c.expect("</stream:stream>")
		c.expectEnd()
		if got := h.cause(); got.Code != sessionmgr.ClosedByClient {
			t.Errorf("cause: %v", got)
		}
		h = newHouse(t)
		c = h.dial().bind("juliet", "balcony")
		h.link().Close(nil)
		c.expect("</stream:stream>")
		for _, p := range append([]string{"<x>x</"}, parts...) {
			c.send(strings.ReplaceAll(p, " ", ""))
		}
		c.expectEnd()
	}
}

func TestCauses(t *testing.T) {
	h := newHouse(t)
	c := h.dial().bind("juliet", "balcony")
	c.conn.Close()
	if got := h.cause(); got.Code != sessionmgr.LinkLost {
		t.Errorf("cause: %v", got)
	}
	c = h.dial().bind("juliet", "balcony")
	c.send("<stream:error><conflict xmlns='" + nsErrors + "'/><text xmlns='" + nsErrors + "'>x</text></stream:error>")
	c.expect("</stream:stream>")
	if got := h.cause(); got.Code != sessionmgr.ClosedByClient || !strings.Contains(got.Text, "conflict") {
		t.Errorf("cause: %v", got)
	}
	for _, tt := range []struct {
		err  error
		want sessionmgr.CauseCode
	}{
		{nil, sessionmgr.LinkLost}, {io.EOF, sessionmgr.LinkLost}, {netserver.ErrTimeout, sessionmgr.TimedOut},
		{netserver.ErrStalled, sessionmgr.TooSlow}, {netserver.ErrOutput, sessionmgr.TooSlow},
		{netserver.ErrClosed, sessionmgr.ShuttingDown}, {netserver.ErrPanic, sessionmgr.Internal}, {errors.New("x"), sessionmgr.LinkLost},
	} {
		if got := causeOfConn(tt.err); got.Code != tt.want {
			t.Errorf("%v: %v", tt.err, got)
		}
	}
	for condition, want := range map[string]sessionmgr.CauseCode{
		"conflict": sessionmgr.Replaced, "connection-timeout": sessionmgr.TimedOut, "internal-server-error": sessionmgr.Internal,
		"reset": sessionmgr.Kicked, "system-shutdown": sessionmgr.ShuttingDown, "invalid-from": sessionmgr.StreamFailed,
	} {
		if got := causeOf(&stream.Error{Err: condition}); got.Code != want {
			t.Errorf("%s: %v", condition, got)
		}
	}
}

func TestShutdown(t *testing.T) {
	h := newHouse(t)
	bound, open := h.dial().bind("juliet", "balcony"), h.dial()
	open.open()
	h.Shutdown()
	for _, c := range []*client{bound, open} {
		if text := c.expectError("system-shutdown"); text == "" {
			t.Error("no text")
		}
		if got := h.cause(); got.Code != sessionmgr.ShuttingDown {
			t.Errorf("cause: %v", got)
		}
	}
	if rest := h.dial().expectEnd(); rest != "" {
		t.Errorf("a new connection got %s", rest)
	}
}
