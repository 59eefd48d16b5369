package c2s

import (
	"context"
	"sync/atomic"
	"testing"

	"weir/sessionmgr"
)

// A client may close its stream before the goroutine that wrote to it has noted
// that the kernel took everything. The manager hears of the end only then: else
// what the client got would count as lost, and come a second time.
func TestClosedWhileAnotherWrites(t *testing.T) {
	h := newHouse(t)
	writing, goOn := make(chan struct{}), make(chan struct{})
	var armed atomic.Bool
	h.Hooks.PreDrain.Add("test", 0, func(context.Context, *PreDrain) {
		if armed.Swap(false) {
			close(writing)
			<-goOn
		}
	})
	c := h.dial().bind("juliet", "balcony")
	l := h.link()
	waited := make(chan int, 1)
	h.sm.Hooks.Unbound.Add("test", 0, func(context.Context, *sessionmgr.Session) { waited <- l.Waiting() })
	c.sync()
	armed.Store(true)
	go func() {
		l.sendString("<message/>")
		l.Flush()
	}()
	<-writing
	c.send("</stream:stream>")
	for !l.left.Load() { // nothing tells from outside that the tag was read
		select {
		case n := <-waited:
			t.Fatalf("the session ended with %d bytes waiting", n)
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		default:
		}
	}
	close(goOn)
	if got := h.cause(); got.Code != sessionmgr.ClosedByClient {
		t.Errorf("cause: %v", got)
	}
	if n := <-waited; n != 0 {
		t.Errorf("the session ended with %d bytes waiting", n)
	}
	c.expectEnd()
}
