package integration_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/integration/testclient"
	"weir/integration/testserver"
)

// asleep is how much a sleeping phone may cost the server while messages come
// for it, whatever their number.
const asleep = 4 << 20

// patience bounds each wait for a server with so much to do. Nothing is measured
// by it.
const patience = 2 * time.Minute

const nsAcks = "urn:xmpp:sm:3"

// phone is a client with stream management that counts and acknowledges.
type phone struct {
	*testclient.Client
	id   string         // of its stream
	h    uint32         // stanzas that it has
	last map[string]int // number of the last message of each sender
	got  int            // messages
}

// dialWith is dial with options.
func dialWith(t *testing.T, s *testserver.Server, o testclient.Options) *testclient.Client {
	t.Helper()
	o.Timeout = patience // also of a write, while the server reads nothing
	o.Addr, o.Domain = s.Addr(testserver.Insecure), s.Domain
	c, err := testclient.Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Cut() })
	return c
}

// enable logs a phone in that can be resumed, and is available.
func enable(t *testing.T, s *testserver.Server, user string) *phone {
	t.Helper()
	p := &phone{Client: enter(t, s, user, "phone"), last: map[string]int{}}
	p.send(t, "<enable xmlns='"+nsAcks+"' resume='true'/>")
	e, err := p.Expect(t.Context(), "<enabled xmlns='"+nsAcks+"' .../>", nil)
	if err != nil {
		t.Fatal(err)
	}
	p.id = e.Get("id")
	p.send(t, "<presence/>")
	p.next(t) // its own presence
	return p
}

func (p *phone) send(t *testing.T, xml string) {
	t.Helper()
	if err := p.Send(xml); err != nil {
		t.Fatal(err)
	}
}

// resume goes on with the stream on a new connection.
func (p *phone) resume(t *testing.T, s *testserver.Server, user string, o testclient.Options) {
	t.Helper()
	p.Client = dialWith(t, s, o)
	if err := p.Authenticate(t.Context(), user, testserver.Password(user)); err != nil {
		t.Fatal(err)
	}
	p.send(t, fmt.Sprintf("<resume xmlns='%s' previd='%s' h='%d'/>", nsAcks, p.id, p.h))
	if _, err := p.Expect(t.Context(), "<resumed xmlns='"+nsAcks+"' .../>", nil); err != nil {
		t.Fatal(err)
	}
}

// next takes one element: it counts stanzas, answers requests for an
// acknowledgement and looks at the numbers of messages.
func (p *phone) next(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	e, err := p.Next(ctx)
	if err != nil {
		t.Fatalf("after %d messages: %v", p.got, err)
	}
	switch e.Name.Local {
	case "r":
		p.send(t, fmt.Sprintf("<a xmlns='%s' h='%d'/>", nsAcks, p.h))
	case "a":
	case "presence", "iq":
		p.h++
	case "message":
		p.h++
		p.got++
		name, number, _ := strings.Cut(e.Get("id"), " ")
		n, err := strconv.Atoi(number)
		if err != nil || n != p.last[name]+1 {
			t.Fatalf("behind %s %d came %s", name, p.last[name], e)
		}
		p.last[name] = n
	default:
		t.Fatalf("after %d messages came %s", p.got, e)
	}
}

func (p *phone) take(t *testing.T, messages int) {
	t.Helper()
	for p.got < messages {
		p.next(t)
	}
}

// burst has three senders write so many numbered messages to an account, and
// returns when the server has handled them.
func burst(t *testing.T, s *testserver.Server, to string, messages int) {
	t.Helper()
	var wg sync.WaitGroup
	senders := []string{"romeo", "nurse", "mercutio"}
	for i, name := range senders {
		c := dialWith(t, s, testclient.Options{})
		if err := c.Login(t.Context(), name, testserver.Password(name), "burst"); err != nil {
			t.Fatal(err)
		}
		count := messages / len(senders)
		if i < messages%len(senders) {
			count++
		}
		wg.Go(func() {
			for n := 1; n <= count; {
				var b strings.Builder
				for ; n <= count && b.Len() < 8<<10; n++ {
					fmt.Fprintf(&b, "<message to='%s@localhost' type='chat' id='%s %d'><body>Wherefore art thou? It is the east, "+
						"and Juliet is the sun. Arise, fair sun, and kill the envious moon.</body></message>", to, name, n)
				}
				if err := c.Send(b.String()); err != nil {
					t.Error(err)
					return
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if err := c.Sync(ctx); err != nil {
				t.Error(err)
			}
			if _, err := c.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// settled is the lowest that rss tells within two seconds: what a flush of the
// store or a burst took for a moment has gone by then.
func settled(t *testing.T, s *testserver.Server) int {
	t.Helper()
	low := rss(t, s)
	for range 20 {
		time.Sleep(100 * time.Millisecond)
		low = min(low, rss(t, s))
	}
	return low
}

// rss is the resident memory of the server, as Linux tells it. It skips the rest
// of the test where that can't be seen.
func rss(t *testing.T, s *testserver.Server) int {
	t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", s.PID()))
	if err != nil {
		t.Skipf("the memory of a process can't be seen on this system: %v", err)
	}
	defer f.Close()
	for in := bufio.NewScanner(f); in.Scan(); {
		if v, ok := strings.CutPrefix(in.Text(), "VmRSS:"); ok {
			n, err := strconv.Atoi(strings.Fields(v)[0])
			if err != nil {
				t.Fatal(err)
			}
			return n << 10
		}
	}
	t.Fatal("no VmRSS in the status of the process")
	return 0
}

// TestSleepingPhone lets many messages come for a phone whose connection is
// gone. It then resumes and gets all of them in order, reading slowly.
//
// The memory of the server is its resident set (VmRSS). A memory limit has the Go
// runtime give back what isn't in use, and the caches of the store (memtables, of
// which there are up to four, and the block cache) are set to 1 MiB: with those
// that ship it takes some 30 MiB more or less for either phone, which has nothing
// to do with what waits. The same number of messages goes to a phone that is awake
// first, so that what is added is what waits for the one that sleeps.
func TestSleepingPhone(t *testing.T) {
	messages := 50_000
	if testing.Short() || raceEnabled {
		messages = 5000
	}
	began := time.Now()
	s := frugal(t, messages)
	juliet := enable(t, s, "juliet")
	if err := juliet.Cut(); err != nil {
		t.Fatal(err)
	}
	before := settled(t, s)
	t.Logf("awake: %d messages in %v, %d KiB", messages, time.Since(began), before>>10)
	began = time.Now()
	burst(t, s, "juliet", messages)
	after := settled(t, s)
	t.Logf("asleep: %d messages in %v, %d KiB, %d KiB more", messages, time.Since(began), after>>10, (after-before)>>10)
	if after-before > asleep && !raceEnabled {
		t.Errorf("%d messages for a sleeping phone took %d KiB", messages, (after-before)>>10)
	}
	began = time.Now()
	// 64 KiB in the system, and 4 KiB at a time: the server has to wait all the while.
	juliet.resume(t, s, "juliet", testclient.Options{ReadBuffer: 64 << 10, BeforeRead: func() { time.Sleep(time.Millisecond) }})
	juliet.take(t, messages)
	during := settled(t, s)
	t.Logf("resumed: %v, %d KiB, %d KiB more", time.Since(began), during>>10, (during-before)>>10)
	if during-before > 2*asleep && !raceEnabled {
		t.Errorf("giving them to it took %d KiB", (during-before)>>10)
	}
	if err := juliet.Sync(t.Context()); err != nil {
		t.Error(err)
	}
	if rest := juliet.Drain(); len(rest) > 0 && rest[0].Name.Local == "message" {
		t.Errorf("behind them came %s", rest[0])
	}
}

// frugal starts a server whose memory tells something (see TestSleepingPhone),
// and has it serve so many messages before.
func frugal(t *testing.T, warm int) *testserver.Server {
	t.Helper()
	t.Setenv("GOMEMLIMIT", "16MiB")
	s := testserver.Start(t, testserver.Options{Binary: binary, Accounts: append([]string{"awake"}, accounts...),
		Config: "[stream]\nstanza_rate = 0\nbyte_rate = 0\n[storage]\nmem_table = \"1 MiB\"\ncache_bytes = \"1 MiB\"\n"})
	awake := enable(t, s, "awake")
	done := make(chan struct{})
	go func() { defer close(done); awake.take(t, warm) }()
	burst(t, s, "awake", warm)
	<-done
	if t.Failed() {
		t.FailNow()
	}
	return s
}

// TestNeverAcknowledges lets messages come for a client that reads and never
// acknowledges one: at some point it gets no more, or its stream is cut; nothing
// grows in memory, and after a resumption it gets all that it did not acknowledge,
// in order.
func TestNeverAcknowledges(t *testing.T) {
	const messages = 50_000
	if testing.Short() || raceEnabled {
		t.Skip("a bound is reached after thousands of messages")
	}
	s := frugal(t, messages/2)
	juliet := enable(t, s, "juliet")
	before := settled(t, s)
	got, done := 0, make(chan struct{})
	go func() {
		defer close(done)
		for {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			e, err := juliet.Next(ctx)
			cancel()
			switch {
			case err != nil:
				return
			case e.Name.Local == "message":
				if got++; got == messages {
					t.Error("it got all messages")
				}
			}
		}
	}()
	burst(t, s, "juliet", messages)
	after := settled(t, s)
	if err := juliet.Cut(); err != nil {
		t.Fatal(err)
	}
	<-done
	t.Logf("it got %d messages; the server has %d KiB more", got, (after-before)>>10)
	if after-before > asleep {
		t.Errorf("%d messages for a client that doesn't acknowledge took %d KiB", messages, (after-before)>>10)
	}
	juliet.resume(t, s, "juliet", testclient.Options{})
	juliet.take(t, messages)
	if err := juliet.Sync(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestAsksAndNeverReads sends requests for acknowledgements without end and takes
// no answer: they cost the server nothing, and the next one who resumes is served.
func TestAsksAndNeverReads(t *testing.T) {
	s := frugal(t, 3000)
	gate := make(chan struct{})
	juliet := enable(t, s, "juliet")
	if err := juliet.Cut(); err != nil {
		t.Fatal(err)
	}
	var closed atomic.Bool
	juliet.resume(t, s, "juliet", testclient.Options{ReadBuffer: 4 << 10, BeforeRead: func() {
		if closed.Load() {
			<-gate
		}
	}})
	before := settled(t, s)
	closed.Store(true)
	piece := strings.Repeat("<r xmlns='"+nsAcks+"'/>", 500)
	for range 1000 {
		juliet.send(t, piece)
	}
	if err := enter(t, s, "romeo", "orchard").Sync(t.Context()); err != nil {
		t.Error(err)
	}
	if after := settled(t, s); after-before > asleep {
		t.Errorf("half a million requests took %d KiB", (after-before)>>10)
	}
	if err := juliet.Cut(); err != nil {
		t.Error(err)
	}
	close(gate)
	juliet.resume(t, s, "juliet", testclient.Options{})
	if err := juliet.Sync(t.Context()); err != nil {
		t.Error(err)
	}
}
