package sessionmgr

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"weir/hook"
)

// TestReady: much that isn't kept waits for its turn: until the client has been sent
// again what it missed, has acknowledged enough, and has read; and one whose connection
// is lost meanwhile is told so when it is back.
func TestReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		var missed []bool
		h.Hooks.Resumed.Add("test", hook.Normal, func(_ context.Context, r Resumption) { missed = append(missed, r.Missed) })
		romeo := h.online("romeo@verona.lit/orchard", 0)
		juliet := h.bind("juliet@verona.lit/balcony")
		id := juliet.enable()
		juliet.available(0)
		ready := func(c *client) (answer func() string) {
			got := make(chan bool, 1)
			go func() { got <- h.Ready(c.Session, 0) }()
			return func() string {
				synctest.Wait()
				select {
				case ok := <-got:
					return fmt.Sprint(ok)
				default:
					return "waits"
				}
			}
		}
		want := func(what, got, want string) {
			t.Helper()
			if got != want {
				t.Errorf("%s: %s, want %s", what, got, want)
			}
		}
		want("with nothing under way", ready(juliet)(), "true")

		for i := range windowUnacked { // she acknowledges nothing
			h.presence(fmt.Sprintf("romeo@verona.lit/%d", i), juliet.Session)
		}
		answer := ready(juliet)
		want("with a full window", answer(), "waits")
		juliet.ack(windowUnacked - 1)
		want("with room in it", answer(), "true")

		juliet.mu.Lock()
		juliet.slow = true
		juliet.mu.Unlock()
		h.presence("romeo@verona.lit/x", juliet.Session)
		answer = ready(juliet)
		want("with bytes that wait", answer(), "waits")
		juliet.wake()
		want("with all written", answer(), "true")

		for range 2 * chunkCount { // more than goes with a resumption
			romeo.send("<message to='juliet@verona.lit' type='chat'><body>x</body></message>")
		}
		juliet.cut()
		want("without a link", ready(juliet)(), "false")
		again := h.connect("juliet@verona.lit")
		again.slow = true
		err := h.Manager.Resume(context.Background(), again.Session, again, id, windowUnacked, func(s *Session, _ uint32) { again.Session = s })
		if err != nil {
			t.Fatal(err)
		}
		want("told at the resumption", fmt.Sprint(missed), "[true]")
		answer = ready(again)
		want("while much is sent again", answer(), "waits")
		again.wake()
		for range 10 {
			h.settle()
		}
		want("when that is done", answer(), "true")
		again.mu.Lock()
		again.slow = true
		again.mu.Unlock()
		h.presence("romeo@verona.lit/y", again.Session)
		answer = ready(again)
		want("with bytes that wait", answer(), "waits")
		h.Closed(again.Session, again, Cause{Code: LinkLost})
		want("with the link lost", answer(), "false")
	})
}

// TestAnsweredAsFastAsRead: of a client with much to read no request is taken behind one
// that had to look into the store, until it has read or its link is lost. So many cards
// or pages asked for at once don't end its stream.
func TestAnsweredAsFastAsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		handlers(h.Manager)
		juliet := h.online("juliet@verona.lit/balcony", 0)
		juliet.enable()
		ask := func(unread int) (taken func() bool) {
			juliet.mu.Lock()
			juliet.slow = true
			juliet.mu.Unlock()
			for i := range unread {
				h.presence(fmt.Sprintf("romeo@verona.lit/%d", i), juliet.Session)
			}
			done := make(chan struct{})
			go func() {
				juliet.send("<iq type='get' to='verona.lit' id='i1'><q xmlns='urn:block'/></iq>")
				close(done)
			}()
			return func() bool {
				synctest.Wait()
				select {
				case <-done:
					return true
				default:
					return false
				}
			}
		}
		taken := ask(roomBytes / 2000)
		if !taken() {
			t.Error("it waits though little is unread")
		}
		taken = ask(roomBytes / 1000)
		if taken() {
			t.Error("the next is taken though much is unread")
		}
		if juliet.wake(); !taken() {
			t.Error("it waits though all is read")
		}
		taken = ask(roomBytes / 1000)
		if taken() {
			t.Error("the next is taken though much is unread")
		}
		if juliet.cut(); !taken() {
			t.Error("it waits though the link is lost")
		}
	})
}
