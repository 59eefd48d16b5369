package sessionmgr

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"weir/jid"
	"weir/stanza"
	"weir/storage"
)

// copies turns carbons on for a client.
func (c *client) copies() {
	c.h.t.Helper()
	if err := c.h.SetCarbons(context.Background(), c.Session, true); err != nil {
		c.h.t.Fatal(err)
	}
}

// records counts what an account's log has.
func (h *house) records(account string) (n int) {
	h.settle()
	err := storage.NewLog(h.store, tableLog).Scan(context.Background(), account, 0, func(uint64, []byte) bool { n++; return true })
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

const toRomeo = "<message to='romeo@verona.lit' type='chat'><body>%s</body></message>"

// TestHiddenCopiesGo: where nothing is archived, the sender's record is there for
// its devices only. It goes when the last of them has acknowledged it, or ended.
func TestHiddenCopiesGo(t *testing.T) {
	h := newHouse(t)
	h.online("romeo@verona.lit/orchard", 0)
	juliet := h.online("juliet@verona.lit/balcony", 0)
	var devices []*client
	for i := range 3 {
		d := h.bind(fmt.Sprint("juliet@verona.lit/d", i))
		d.enable()
		d.copies()
		devices = append(devices, d)
	}
	for i, n := range []int{1, 1, 0} {
		if i == 0 {
			juliet.send(fmt.Sprintf(toRomeo, "one"))
		}
		devices[i].want("<sent & one")
		devices[i].ack(1)
		if n > 0 && h.records("juliet@verona.lit") != n {
			t.Errorf("the record is gone after %d acknowledgements", i+1)
		}
	}
	h.until(func() bool { return h.records("juliet@verona.lit") == 0 })
	if n := h.records("romeo@verona.lit"); n != 0 {
		t.Errorf("romeo has %d records", n)
	}
	juliet.send(fmt.Sprintf(toRomeo, "two"))
	devices[0].want("two")
	devices[0].ack(2)
	for _, d := range devices {
		h.Kick(d.Session, Cause{Code: Kicked}, nil)
	}
	if n := h.records("juliet@verona.lit"); n != 0 {
		t.Errorf("%d records when all have ended", n)
	}
	if n := len(devices[0].h.ledgers.byJID[jid.MustParse("juliet@verona.lit")].hidden); n != 0 {
		t.Errorf("%d records are still counted", n)
	}
}

// TestOwedThoughCopied: a message whose receiver never took it is given to the
// next, also where others have acknowledged copies of it, but not to them.
func TestOwedThoughCopied(t *testing.T) {
	for _, archive := range []string{ArchiveAlways, ArchiveNever} {
		for _, who := range []string{"tablet", "phone"} {
			h := newHouse(t, func(o *Options) { o.Archive = archive })
			romeo := h.online("romeo@verona.lit/orchard", 0)
			juliet, phone := h.bind("juliet@verona.lit/balcony"), h.bind("juliet@verona.lit/phone")
			juliet.enable()
			phone.enable()
			phone.copies()
			juliet.available(0)
			romeo.send("<message to='juliet@verona.lit/balcony' type='chat'><body>one</body></message>")
			juliet.want("one")
			phone.want("<received & one")
			phone.ack(1)
			h.Kick(juliet.Session, Cause{Code: Kicked}, nil)
			if who == "phone" {
				phone.available(0)
				phone.want()
			}
			tablet := h.bind("juliet@verona.lit/tablet")
			tablet.available(0)
			if who == "phone" { // it has come to the account
				tablet.want()
			} else {
				tablet.want("one & Offline Storage")
			}
		}
	}
}

// TestReachesNobodyButCopies: it is owed, and a copy's acknowledgement doesn't
// take it away.
func TestReachesNobodyButCopies(t *testing.T) {
	h := newHouse(t)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	phone := h.bind("juliet@verona.lit/phone")
	phone.enable()
	phone.copies()
	phone.available(-1)
	romeo.send("<message to='juliet@verona.lit' type='chat'><body>one</body></message>")
	romeo.send("<message to='juliet@verona.lit' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>")
	phone.want("<received & one", "<received & composing")
	phone.ack(2)
	tablet := h.bind("juliet@verona.lit/tablet")
	tablet.available(0)
	tablet.want("one & Offline Storage")
	phone.available(0)
	phone.want()
}

// TestNoCopyOfWhatIsRefused: the other devices know neither of the message nor
// of the error.
func TestNoCopyOfWhatIsRefused(t *testing.T) {
	h := newHouse(t)
	phone := h.bind("juliet@verona.lit/phone")
	phone.copies()
	juliet := h.online("juliet@verona.lit/balcony", 0)
	juliet.send("<message to='nobody@verona.lit' type='chat'><body>x</body></message>")
	juliet.send("<message to='far.away' type='chat'><body>x</body></message>")
	juliet.want("type='error'", "type='error'")
	juliet.send("<message to='juliet@verona.lit' type='error'><error type='cancel'/></message>") // of a copy that it didn't like
	juliet.want()
	phone.want()
}

// TestCopiesAreOfTheAccount: nothing that a client sends comes from a bare
// address, and what it makes to look like a copy isn't copied.
func TestCopiesAreOfTheAccount(t *testing.T) {
	h := newHouse(t)
	phone := h.bind("juliet@verona.lit/phone")
	phone.copies()
	juliet := h.online("juliet@verona.lit/balcony", 0)
	tybalt := h.online("tybalt@verona.lit/home", 0)
	for _, ns := range []string{"received", "sent"} {
		tybalt.send("<message from='juliet@verona.lit' to='juliet@verona.lit' type='chat'><" + ns + " xmlns='urn:xmpp:carbons:2'>" +
			"<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='romeo@verona.lit/x' to='juliet@verona.lit'><body>x</body></message></forwarded></" + ns + "></message>")
		juliet.want("<message from='tybalt@verona.lit/home'")
		phone.want()
	}
}

// TestCopiesOutliveTheProcess: that copies are on is durable before it is
// answered.
func TestCopiesOutliveTheProcess(t *testing.T) {
	h := newHouse(t)
	phone := h.bind("juliet@verona.lit/phone")
	id := phone.enable()
	phone.copies()
	h.failed.Store(true) // nothing of it acts any more
	h.quiet.Store(true)
	again := newHouseOn(t, h.store)
	if err := again.Restore(context.Background()); err != nil {
		t.Fatal(err)
	}
	juliet := again.online("juliet@verona.lit/balcony", 0)
	juliet.send(fmt.Sprintf(toRomeo, "one"))
	back := again.mustResume("juliet@verona.lit", id, 0)
	back.want("<sent & one & <delay")
	if d := back.Describe(); !d.Carbons || !back.Snapshot().Carbons {
		t.Errorf("%+v", d)
	}
}

// TestWrappedOnce: however many devices there are, the message is wrapped once.
func TestWrappedOnce(t *testing.T) {
	h := newHouse(t)
	a, b := h.bind("juliet@verona.lit/a"), h.bind("juliet@verona.lit/b")
	st, err := stanza.Parse([]byte("<message from='juliet@verona.lit/x' to='romeo@verona.lit' type='chat'><body>" + strings.Repeat("x", 5000) + "</body></message>"))
	if err != nil {
		t.Fatal(err)
	}
	one := &carbons{message: st, from: []Delivery{{To: a.Session}}}
	two := &carbons{message: st, from: []Delivery{{To: a.Session}, {To: b.Session}}}
	n := testing.AllocsPerRun(100, func() { one.wrap(true, true, 1) })
	if more := testing.AllocsPerRun(100, func() { two.wrap(true, true, 1) }); more > n+1 {
		t.Errorf("%v allocations for one device, %v for two", n, more)
	}
	if got := string(two.from[1].Stanza.AppendTo(nil)); !strings.HasPrefix(got, "<message from='juliet@verona.lit' to='juliet@verona.lit/b' type='chat'><sent ") {
		t.Error(got[:200])
	}
}

// TestRecordsWithCopies: a program that doesn't know of copies must not read a
// record that has one.
func TestRecordsWithCopies(t *testing.T) {
	plain := encodeRecord(nil, time.Now(), 0, []target{{tag: 7, n: 3, live: true}}, nil)
	rec := encodeRecord(nil, time.Now(), 0, []target{{tag: 7, n: 3, live: true}, {tag: 9, n: 4, live: true, copy: true}, {tag: 11, copy: true}}, nil)
	if plain[0] != recordVersion || rec[0] != recordVersionCopy {
		t.Errorf("versions %d and %d", plain[0], rec[0])
	}
	r, err := viewRecord(rec)
	if err != nil || r.originals() != 1 || r.single() {
		t.Errorf("%v: %d originals", err, r.originals())
	}
	for tag, want := range map[uint64]target{7: {7, 3, true, false}, 9: {9, 4, true, true}, 11: {11, 0, false, true}} {
		if x, ok := r.names(tag); !ok || x != want {
			t.Errorf("%+v, want %+v", x, want)
		}
	}
	for flags, single := range map[byte]bool{0: false, recordOutgoing: true} {
		r, err := viewRecord(encodeRecord(nil, time.Now(), flags, []target{{tag: 9, copy: true}}, nil))
		_, nobodys := r.names(0)
		if err != nil || r.single() != single || nobodys == single {
			t.Errorf("flags %d: %v, single %v, for nobody %v", flags, err, r.single(), nobodys)
		}
	}
}
