package c2s

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// fuzzState puts streams into a state and feeds them bytes: the server must not
// panic, must answer well-formed XML, and must go on serving others.
func fuzzState(f *testing.F, state State) {
	h := newHouse(f, func(u *setup) {
		u.o.ByteRate, u.o.StanzaRate, u.o.CloseTimeout = 0, 0, time.Second
	})
	for x := range stateTable {
		f.Add([]byte(x))
	}
	f.Add([]byte(headerVerona + bindIQ))
	f.Add([]byte("</stream:stream>"))
	f.Add([]byte("<!-- -->"))
	f.Add([]byte(plain("juliet", "wrong") + plain("juliet", password)))
	f.Add([]byte(plain2("juliet", theAgent+bind2)))
	f.Add([]byte(plain2("juliet", "<request-token xmlns='"+nsFast+"' mechanism='HT-SHA-256-NONE'/><bind xmlns='"+nsBind2+"'><tag>x</tag></bind>")))
	f.Add([]byte(authenticate("HT-SHA-256-NONE", "", theAgent+"<fast xmlns='"+nsFast+"' count='1' invalidate='1'/>")))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 4096 {
			return
		}
		h.t = t
		h.mu.Lock()
		h.causes = nil
		h.mu.Unlock()
		c := h.dial()
		defer c.conn.Close()
		switch state {
		case Plain: // with nothing sent
		case Secured: // where login is possible, here without TLS
			c.open()
		case Authenticated:
			c.login("juliet")
		case Bound:
			c.bind("juliet", "balcony")
		}
		c.send(string(b))
		c.send("</stream:stream>")
		select {
		case <-c.done:
		case <-time.After(50 * time.Millisecond): // it waits for the end of an element
		}
		c.conn.Close()
		<-c.done
		c.mu.Lock()
		defer c.mu.Unlock()
		wellFormed(t, c.got)
		if bytes.Contains(c.got, []byte("internal-server-error")) {
			t.Errorf("internal error after %q", b)
		}
		if n := strings.Count(string(c.got), closingTag); n > 1 {
			t.Errorf("%d closing tags", n)
		}
	})
}

func FuzzUnopened(f *testing.F)      { fuzzState(f, Plain) }
func FuzzUnauthed(f *testing.F)      { fuzzState(f, Secured) }
func FuzzAuthenticated(f *testing.F) { fuzzState(f, Authenticated) }
func FuzzBound(f *testing.F)         { fuzzState(f, Bound) }
