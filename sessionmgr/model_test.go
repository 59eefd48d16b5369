package sessionmgr

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"weir/jid"
	"weir/stanza"
	"weir/storage"
	"weir/storage/pebble"

	"github.com/cockroachdb/pebble/v2/vfs"
	"mellium.im/xmpp/stream"
)

// mailbox is a client of the model: a link that writes only when it is told to.
type mailbox struct {
	*Session
	h        *house
	mu       sync.Mutex
	in       []letter // appended
	written  int      // of in
	slow     bool
	cut      bool // nothing is taken or written any more
	unread   bool // it was cut with letters that were not written
	priority int8
}

// letter is a message of the model as it came.
type letter struct {
	no      int
	delayed bool
	copied  bool // it came as a copy
	size    int
}

func (b *mailbox) Append(st *stanza.Stanza) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cut {
		return errors.New("cut")
	}
	l := letter{no: -1, size: len(st.AppendTo(nil)), delayed: st.HasChild(stanza.NSDelay, "delay")}
	if st.Kind == stanza.Message && !st.IsError() {
		l.no, l.copied = messageNo(st)
	}
	b.in = append(b.in, l)
	return nil
}

func (b *mailbox) Flush() {
	b.mu.Lock()
	if b.slow || b.cut || b.written == len(b.in) {
		b.mu.Unlock()
		return
	}
	b.written = len(b.in)
	b.mu.Unlock()
	b.h.Drained(b.Session)
}

// drip writes some of what waits.
func (b *mailbox) drip(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.cut {
		b.written = min(b.written+n, len(b.in))
	}
}

func (b *mailbox) WantDrain() {}

func (b *mailbox) Waiting() (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.in[b.written:] {
		n += l.size
	}
	return n
}

func (b *mailbox) Close(*stream.Error) { b.fail() }

// waits reports whether the session has still to pull something.
func (b *mailbox) waits() (behind bool) {
	b.h.inOrder(func() { behind = b.behind })
	return behind
}

// fail cuts the link.
func (b *mailbox) fail() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cut = true
	b.unread = b.unread || b.written < len(b.in)
}

// model is one random history of an account: juliet's sessions come, go, are
// slow and change their minds, while romeo writes.
type model struct {
	t     testing.TB
	h     *house
	store storage.Store
	rng   *rand.Rand
	romeo *mailbox
	alive []*mailbox
	all   []*mailbox
	trace []string
	sent  []sentLetter
	most  int // sessions at a time
	// archive makes a record of each message; without, only of what is owed.
	archive string
}

type sentLetter struct {
	kept bool // must arrive
	bare bool // was addressed to the account
}

func (md *model) log(format string, args ...any) {
	md.trace = append(md.trace, fmt.Sprintf(format, args...))
}

func (md *model) bind(full string) *mailbox {
	j := jid.MustParse(full)
	b := &mailbox{h: md.h}
	b.Session = md.h.Open(b, LinkInfo{})
	md.h.StreamOpened(b.Session, "verona.lit")
	md.h.Authenticated(b.Session, j.Bare())
	if err := md.h.Bind(context.Background(), b.Session, j.Resource(), func(jid.JID) {}); err != nil {
		md.t.Fatalf("bind: %v\n%s", err, strings.Join(md.trace, "\n"))
	}
	return b
}

func (md *model) start(t *testing.T) {
	md.h = newHouseOn(t, md.store, func(o *Options) { o.Archive = md.archive })
	md.romeo = md.bind("romeo@verona.lit/orchard")
	md.alive = nil
}

func (md *model) prefer(b *mailbox, priority int8) {
	b.priority = priority
	st, err := stanza.New(stanza.Presence, "", "", b.JID(), jid.JID{}, fmt.Appendf(nil, "<priority>%d</priority>", priority))
	if err != nil {
		md.t.Fatal(err)
	}
	b.SetPresence(st, priority)
}

// send lets romeo write one message, of a type and to an address by chance.
func (md *model) send() {
	no := len(md.sent)
	typ := []string{"chat", "chat", "normal", "headline"}[md.rng.IntN(4)]
	to := "juliet@verona.lit"
	s := sentLetter{kept: typ != "headline", bare: true}
	if len(md.alive) > 0 && md.rng.IntN(4) == 0 {
		to, s.bare = md.alive[md.rng.IntN(len(md.alive))].JID().String(), false
	}
	st, err := stanza.New(stanza.Message, typ, fmt.Sprintf("m%d", no), md.romeo.JID(), jid.MustParse(to), fmt.Appendf(nil, "<body>%s</body>", strings.Repeat("x", md.rng.IntN(3000))))
	if err != nil {
		md.t.Fatal(err)
	}
	md.sent = append(md.sent, s)
	md.log("send m%d %s to %s", no, typ, to)
	resumed := make(chan struct{})
	if md.h.Inbound(md.romeo.Session, md.romeo, st, func() { close(resumed) }) {
		<-resumed
	}
	md.h.FlushTouched()
}

// step does one thing.
func (md *model) step() {
	var b *mailbox
	if len(md.alive) > 0 {
		b = md.alive[md.rng.IntN(len(md.alive))]
	}
	switch n := md.rng.IntN(20); {
	case n < 9:
		md.send()
	case n < 11 && len(md.alive) < md.most:
		b = md.bind(fmt.Sprintf("juliet@verona.lit/r%d", len(md.all)))
		b.slow = md.rng.IntN(2) == 0
		md.alive, md.all = append(md.alive, b), append(md.all, b)
		md.log("bind %s slow=%v", b.JID(), b.slow)
		if md.most > 1 && md.rng.IntN(3) == 0 {
			md.log("has carbons")
			if err := md.h.SetCarbons(context.Background(), b.Session, true); err != nil {
				md.t.Fatal(err)
			}
		}
		if md.rng.IntN(4) > 0 {
			md.log("available 0")
			md.prefer(b, 0)
		}
	case b == nil:
	case n < 13:
		p := int8(md.rng.IntN(4) - 1)
		if md.most == 1 && (b.Waiting() > 0 || b.waits()) {
			p = max(p, 0) // what is owed meanwhile comes before what is lost with the link later
		}
		md.log("%s priority %d", b.JID(), p)
		md.prefer(b, p)
	case n < 14:
		md.log("%s slow", b.JID())
		b.mu.Lock()
		b.slow = true
		b.mu.Unlock()
	case n < 15:
		md.log("%s drips", b.JID())
		b.drip(1 + md.rng.IntN(3))
	case n < 17:
		md.wake(b)
	case n < 18:
		md.log("%s fails", b.JID()) // its end is noticed later
		b.fail()
	case n < 19:
		md.end(b)
	default:
		md.h.settle()
	}
}

func (md *model) wake(b *mailbox) {
	md.log("%s wakes", b.JID())
	b.mu.Lock()
	b.slow = false
	b.mu.Unlock()
	b.Flush()
}

// end ends a session, with its link cut.
func (md *model) end(b *mailbox) {
	md.log("%s ends", b.JID())
	b.fail()
	md.h.Closed(b.Session, b, Cause{Code: LinkLost})
	for i, x := range md.alive {
		if x == b {
			md.alive = append(md.alive[:i:i], md.alive[i+1:]...)
		}
	}
}

// finish ends every session and lets a healthy one log in.
func (md *model) finish() {
	for len(md.alive) > 0 {
		if md.rng.IntN(2) == 0 && !md.alive[0].cut {
			md.wake(md.alive[0])
			md.h.settle()
		}
		md.end(md.alive[0])
	}
	md.h.inOrder(func() {
		l := md.h.ledgers.loaded(jid.MustParse("juliet@verona.lit"))
		if l != nil {
			md.log("LEDGER %x last %x owedLast %x durable %x undec %x", l.owed, l.last, l.owedLast, l.durable, l.undecided)
		}
	})
	md.h.logs.Scan(context.Background(), "juliet@verona.lit", 0, func(id uint64, b []byte) bool {
		r, _ := viewRecord(b)
		st, _ := r.parse()
		md.log("REC %x %x %d %s", id, r.targets, r.flags, st.ID)
		return true
	})
	last := md.bind("juliet@verona.lit/last")
	md.all = append(md.all, last)
	md.prefer(last, 0)
	md.h.settle()
}

// check holds the history against the promises.
func (md *model) check() {
	md.t.Helper()
	got := make([]int, len(md.sent))        // times written, in all
	first := make([]*mailbox, len(md.sent)) // whoever got it first for good
	for _, b := range md.all {
		seen, copied := map[int]bool{}, map[int]bool{}
		newest := -1
		for _, l := range b.in[:b.written] {
			if l.no < 0 {
				continue
			}
			got[l.no]++
			copied[l.no] = copied[l.no] || l.copied
			switch {
			case seen[l.no] && copied[l.no] && md.archive == ArchiveNever: // no record says that it has a copy
			case l.copied && !seen[l.no]:
				seen[l.no] = true
				continue
			case seen[l.no]:
				md.fatal("%s got m%d twice", b.JID(), l.no)
			case l.delayed && first[l.no] != nil && !first[l.no].unread:
				md.fatal("%s got m%d, which %s had got", b.JID(), l.no, first[l.no].JID())
			case md.most == 1 && md.sent[l.no].bare && md.sent[l.no].kept:
				if l.no < newest {
					md.fatal("%s got m%d after m%d", b.JID(), l.no, newest)
				}
				newest = l.no
			}
			seen[l.no] = true
			if first[l.no] == nil || first[l.no].unread {
				first[l.no] = b
			}
		}
	}
	for no, s := range md.sent {
		if s.kept && got[no] == 0 {
			b := md.all[len(md.all)-1]
			md.h.inOrder(func() {
				l := b.ledger
				md.log("END owed %x undec %x catching %v behind %v pulling %v sent %x untold %x", l.owed, l.undecided, l.catching, b.behind, b.pulling, b.queue.sent, b.queue.untold)
			})
			for _, x := range b.in {
				md.log("IN %d", x.no)
			}
			md.fatal("m%d is lost", no)
		}
	}
}

func (md *model) fatal(format string, args ...any) {
	md.t.Helper()
	md.t.Fatalf(format+"\n%s", append(args, strings.Join(md.trace, "\n"))...)
}

// TestOwedModel goes through random histories. In the end every message that is
// kept has come to a session of the account; twice only where the first that got
// it was cut with something unwritten; and in order where there is one session.
func TestOwedModel(t *testing.T) {
	for seed := range uint64(150) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			st, err := pebble.Open(pebble.Options{FS: vfs.NewMem(), Dir: "data"})
			if err != nil {
				t.Fatal(err)
			}
			defer st.Close()
			md := &model{t: t, store: st, rng: rand.New(rand.NewPCG(seed, 3)), most: 1 + int(seed%3), archive: ArchiveAlways}
			if seed%2 == 1 {
				md.archive = ArchiveNever
			}
			md.start(t)
			for range 60 {
				if md.rng.IntN(40) == 0 {
					md.log("restart")
					for len(md.alive) > 0 {
						md.end(md.alive[0])
					}
					md.h.Stop(context.Background())
					md.start(t)
				}
				md.step()
			}
			md.finish()
			md.check()
			md.h.Stop(context.Background())
		})
	}
}
