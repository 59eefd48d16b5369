package c2s

import (
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"weir/sessionmgr"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

func repeat(open, closing string, n int) string {
	return strings.Repeat(open, n) + strings.Repeat(closing, n)
}

// Each limit on an element: what is allowed passes, one more ends the stream
// with a text that names the limit, and is counted.
func TestElementLimits(t *testing.T) {
	login := func(x string) string {
		return "<auth xmlns='" + nsSASL + "' mechanism='CRAM-MD5'>" + x + "</auth>"
	}
	message := func(x string) string { return "<message to='juliet@verona.lit/balcony'>" + x + "</message>" }
	attrs := func(n int) (x string) {
		for i := range n {
			x += " a" + strconv.Itoa(i) + "=''"
		}
		return "<x xmlns='x'" + x + "/>"
	}
	fill := func(max int, frame func(string) string) string { return frame(strings.Repeat("x", max-len(frame("")))) }
	for _, tt := range []struct {
		name     string
		state    State
		ok, over string
		limit    string
	}{
		{"login bytes", Secured, fill(8192, login), fill(8193, login), "8192"},
		{"login elements", Secured, login(strings.Repeat("<x/>", 31)), login(strings.Repeat("<x/>", 32)), "32"},
		{"login depth", Secured, login(repeat("<x>", "</x>", 7)), login(repeat("<x>", "</x>", 8)), "8"},
		{"stanza bytes", Bound, fill(256<<10, message), fill(256<<10+1, message), "262144"},
		{"stanza elements", Bound, message(strings.Repeat("<x/>", 1999)), message(strings.Repeat("<x/>", 2000)), "2000"},
		{"stanza depth", Bound, message(repeat("<x>", "</x>", 63)), message(repeat("<x>", "</x>", 64)), "64"},
		{"attributes", Bound, message(attrs(63)), message(attrs(64)), "64"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			noRate := func(u *setup) { u.o.ByteRate = 0 }
			c := in(t, tt.state, noRate)
			c.send(tt.ok)
			if tt.state == Secured {
				c.expect("</failure>")
			} else {
				c.expect("</message>")
			}
			go c.send(tt.over)
			if text := c.expectError("policy-violation"); !strings.Contains(text, tt.limit) {
				t.Errorf("text: %q", text)
			}
			if n := count(t, c.h.metrics.limits.WithLabelValues("element")); n != 1 {
				t.Errorf("counted %v times", n)
			}
		})
	}
}

// Beyond its rate a client is read more slowly, and loses nothing.
func TestRates(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Options)
		size   int
		limit  string
		least  time.Duration // for 200 messages
	}{
		{"stanzas", func(o *Options) { o.StanzaRate, o.StanzaBurst = 10, 20 }, 1, "stanza_rate", 17 * time.Second},
		{"bytes", func(o *Options) { o.ByteRate, o.ByteBurst = 10_000, 20_000 }, 950, "byte_rate", 17 * time.Second},
		{"off", func(o *Options) { o.ByteRate, o.StanzaRate = 0, 0 }, 950, "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t, func(u *setup) { tt.change(&u.o) })
				c := h.dial().bind("juliet", "balcony")
				begin := time.Now()
				body := strings.Repeat("x", tt.size)
				go func() {
					for range 200 {
						c.send("<message to='juliet@verona.lit/balcony'><body>" + body + "</body></message>")
					}
				}()
				for range 200 {
					c.expect("</message>")
				}
				took := time.Since(begin)
				if took < tt.least || took > tt.least+5*time.Second {
					t.Errorf("took %v", took)
				}
				if tt.limit != "" && count(t, h.metrics.limits.WithLabelValues(tt.limit)) == 0 {
					t.Error("not counted")
				}
			})
		})
	}
}

// The burst is what it says, and comes back with time.
func TestBucket(t *testing.T) {
	rates := newRates(&Options{ByteRate: 100, ByteBurst: 1000, StanzaRate: 10, StanzaBurst: 10})
	o := &rates
	var b bucket
	for i := range 20 {
		if w, _ := b.wait(o, 0); (w > 0) != (i > 10) {
			t.Errorf("stanza %d waits %v", i, w)
		}
		b.charge(o, 0, 1, 1)
	}
	if w, limit := b.wait(o, 0); w != time.Second || limit != "stanza_rate" {
		t.Errorf("wait %v for %s", w, limit)
	}
	if w, _ := b.wait(o, time.Second); w > 0 {
		t.Errorf("still waits %v", w)
	}
	b = bucket{}
	b.charge(o, time.Minute, 1500, 0)
	if w, limit := b.wait(o, time.Minute); w != 5*time.Second || limit != "byte_rate" {
		t.Errorf("wait %v for %s", w, limit)
	}
}

// Login and binding have their time, whatever the client sends meanwhile.
func TestDeadlines(t *testing.T) {
	for _, tt := range []struct {
		name  string
		until func(c *client)
		after time.Duration
		text  string
	}{
		{"nothing sent", func(*client) {}, 30 * time.Second, "no login within 30s"},
		{"header", func(c *client) { c.open() }, 30 * time.Second, "no login within 30s"},
		{"logged in", func(c *client) { time.Sleep(20 * time.Second); c.login("juliet") }, 80 * time.Second, "no resource was bound within 1m0s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t)
				begin := time.Now()
				c := h.dial()
				tt.until(c)
				go func() { // keep-alives extend nothing
					for {
						select {
						case <-time.After(time.Second):
							c.send(" ")
						case <-c.done:
							return
						}
					}
				}()
				time.Sleep(tt.after - time.Since(begin) - time.Second)
				if got := c.unseen(); got != "" {
					t.Errorf("too early: %s", got)
				}
				got := c.expect("</stream:stream>")
				if took := time.Since(begin); took < tt.after || took > tt.after+time.Second {
					t.Errorf("after %v", took)
				}
				if !strings.Contains(got, "<policy-violation") || !strings.Contains(got, tt.text) {
					t.Errorf("got %s", got)
				}
				c.expectEnd() // 5 s later, though the client never closes
				if took := time.Since(begin); took > tt.after+7*time.Second {
					t.Errorf("ended after %v", took)
				}
				if got := h.cause(); got.Code != sessionmgr.TimedOut {
					t.Errorf("cause: %v", got)
				}
			})
		})
	}
}

// A bound client has no deadline, and a bound client that doesn't read is cut.
func TestSlowReader(t *testing.T) {
	h := newHouse(t, func(u *setup) {
		u.net.MaxOutput = 64 << 10
		u.o.CloseTimeout = time.Second
		u.o.ByteRate, u.o.StanzaRate = 0, 0
	})
	slow := h.dialTCP().bind("romeo", "orchard")
	slow.stall()
	c := h.dial().bind("juliet", "balcony")
	body := strings.Repeat("x", 10_000)
	for range 2000 {
		h.mu.Lock()
		over := len(h.causes) > 0
		h.mu.Unlock()
		if over {
			break
		}
		c.send("<message type='headline' to='romeo@verona.lit/orchard'><body>" + body + "</body></message>")
	}
	if got := h.cause(); got.Code != sessionmgr.TooSlow {
		t.Errorf("cause: %v", got)
	}
	if n := count(t, h.metrics.limits.WithLabelValues("output")); n < 1 {
		t.Errorf("counted %v times", n)
	}
	c.sync() // the others go on
}

// count reads a counter.
func count(t *testing.T, c prometheus.Counter) float64 {
	t.Helper()
	var m dto.Metric
	must(t, c.Write(&m))
	return m.GetCounter().GetValue()
}

// Much at once for a client that reads is no overflow.
func TestMuchAtOnce(t *testing.T) {
	h := newHouse(t, func(u *setup) { u.net.MaxOutput = 64 << 10 })
	c := h.dialTCP().bind("juliet", "balcony")
	x := "<x xmlns='urn:test'>" + strings.Repeat("x", 1000) + "</x>"
	l := h.link()
	for range 300 {
		must(t, l.Send(func(dst []byte) []byte { return append(dst, x...) }))
	}
	l.Flush()
	for range 300 {
		c.expect(x)
	}
	c.sync()
}

// What a stream costs while nothing happens on it, besides its session and its
// connection: the negotiation is gone.
func TestStreamSize(t *testing.T) {
	if n := unsafe.Sizeof(Stream{}); n > 288 {
		t.Errorf("a stream takes %d bytes", n)
	}
	h := newHouse(t)
	h.dial().bind("juliet", "balcony").sync()
	if h.link().neg != nil {
		t.Error("a bound stream still has its negotiation")
	}
}
