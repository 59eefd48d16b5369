package testclient

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// closeInOrder reads until the client's end of stream, then ends its own.
func closeInOrder(c net.Conn, r *bufio.Reader) {
	for {
		s, err := r.ReadString('>')
		if err != nil {
			return
		}
		if strings.HasSuffix(s, "</stream:stream>") {
			fmt.Fprint(c, "</stream:stream>")
			return
		}
	}
}

func TestLoginAndClose(t *testing.T) {
	c := login(t, closeInOrder)
	if c.JID() != "juliet@localhost/x" {
		t.Errorf("bound as %s", c.JID())
	}
	if _, secure := c.TLS(); !secure {
		t.Error("not secured")
	}
	if rest, err := c.Close(t.Context()); err != nil || len(rest) != 0 {
		t.Errorf("closing: %v, %v", rest, err)
	}
	for _, want := range []string{"> <starttls", "SCRAM-SHA-256-PLUS", "secured: TLS 1.3", "< </stream:stream>"} {
		if !strings.Contains(c.Transcript(), want) {
			t.Errorf("the transcript lacks %q:\n%s", want, c.Transcript())
		}
	}
}

func TestAuthRefusals(t *testing.T) {
	f := newFake(t, closeInOrder)
	c, err := Dial(t.Context(), Options{Addr: f.addr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Cut() })
	if err := errors.Join(c.Open(t.Context()), c.StartTLS(t.Context()), c.Open(t.Context())); err != nil {
		t.Fatal(err)
	}
	for _, mech := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"} {
		var refused *AuthError
		err := c.Auth(t.Context(), mech, "juliet", "wrong")
		if !errors.As(err, &refused) || refused.Condition != "not-authorized" {
			t.Errorf("%s: %v", mech, err)
		}
	}
	if err := c.Auth(t.Context(), "SCRAM-SHA-256", "juliet", "secret"); err != nil {
		t.Errorf("after refusals: %v", err)
	}
	if err := c.Auth(t.Context(), "ROT13", "juliet", "secret"); err == nil {
		t.Error("an unknown mechanism was tried")
	}
}

func TestExpect(t *testing.T) {
	c := login(t, func(c net.Conn, r *bufio.Reader) {
		fmt.Fprint(c, "<presence from='a'/><message id='1'><body>x</body></message><presence from='b'/>")
		closeInOrder(c, r)
	})
	vars := Vars{}
	if _, err := c.ExpectStanza(t.Context(), "<message id='{id}'><body>x</body></message>", vars); err != nil {
		t.Error(err)
	}
	if vars["id"] != "1" {
		t.Errorf("captured %v", vars)
	}
	if _, err := c.Expect(t.Context(), "<presence from='a'/>", nil); err != nil {
		t.Error(err)
	}
	_, err := c.Expect(t.Context(), "<presence from='c'/>", nil)
	var stream *StreamError
	if !errors.As(err, &stream) || !strings.Contains(stream.Transcript, "<presence from='a'/>") {
		t.Errorf("a mismatch has no transcript: %v", err)
	}
	if err := c.Quiet(t.Context(), time.Millisecond); err != nil {
		t.Error(err)
	}
}

func TestExpectGivesUp(t *testing.T) {
	c := login(t, func(c net.Conn, r *bufio.Reader) {
		fmt.Fprint(c, "<presence from='a'/>")
		closeInOrder(c, r)
	})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := c.ExpectStanza(ctx, "<presence from='b'/>", nil)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), `from is "a"`) {
		t.Errorf("the error doesn't tell what was there: %v", err)
	}
	if err := c.Quiet(t.Context(), time.Millisecond); !errors.Is(err, ErrQuiet) {
		t.Errorf("quiet: %v", err)
	}
}

func TestIQ(t *testing.T) {
	c := login(t, func(c net.Conn, r *bufio.Reader) {
		fmt.Fprint(c, "<message/><iq type='set' id='tc2'><q xmlns='u:x'/></iq><iq type='result' id='tc2'><a xmlns='u:x'/></iq>"+
			"<iq type='error' id='tc3'><error type='cancel'><text>t</text><gone/></error></iq>")
		closeInOrder(c, r)
	})
	res, err := c.IQ(t.Context(), "get", "localhost", "<q xmlns='u:x'/>")
	if err != nil || res.Child("u:x", "a") == nil {
		t.Errorf("%v, %v", res, err)
	}
	var refused *IQError
	if _, err := c.IQ(t.Context(), "get", "", "<q xmlns='u:x'/>"); !errors.As(err, &refused) || refused.Condition() != "gone" {
		t.Errorf("%v", err)
	}
	if left := c.Drain(); len(left) != 2 {
		t.Errorf("the rest is %v", left)
	}
}

func TestEnds(t *testing.T) {
	for _, c := range []struct {
		name, sent string
		ok         bool
	}{
		{"in order", "<message/></stream:stream>", true},
		{"without the end of the stream", "<message/>", false},
		{"inside a stanza", "<message><bo", false},
		{"not well-formed", "<message></presence>", false},
		{"with a comment", "<message><!-- x --></message></stream:stream>", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl := login(t, func(conn net.Conn, r *bufio.Reader) { fmt.Fprint(conn, c.sent) })
			_, err := cl.WaitEnd(t.Context())
			if (err == nil) != c.ok {
				t.Errorf("the end: %v", err)
			}
		})
	}
}

func TestDialFails(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := Dial(t.Context(), Options{Addr: l.Addr().String()}); err == nil {
		t.Error("connected to nobody")
	}
}
