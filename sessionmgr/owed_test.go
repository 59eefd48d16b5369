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

func TestOwedOnceAndInOrder(t *testing.T) {
	h := newHouse(t)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	const many = 500 // several chunks
	for i := range many {
		romeo.send(fmt.Sprintf("<message to='juliet@verona.lit' id='%d'><body>n%d.</body></message>", i, i))
	}
	romeo.want()
	juliet := h.bind("juliet@verona.lit/balcony")
	juliet.available(-1) // a negative priority gets nothing
	juliet.want()
	juliet.available(0)
	got := juliet.got()
	if len(got) != many {
		t.Fatalf("got %d messages, want %d", len(got), many)
	}
	for i, st := range got {
		if !strings.Contains(st, fmt.Sprintf("n%d.", i)) {
			t.Fatalf("message %d is %s", i, st)
		}
	}
	h.Kick(juliet.Session, Cause{Code: Kicked}, nil)
	h.online("juliet@verona.lit/chamber", 5).want() // nothing twice
}

func TestOwedSurvivesARestart(t *testing.T) {
	h := newHouse(t)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	romeo.send("<message to='juliet@verona.lit' id='1' xml:lang='it'><body>ciao &amp; addio</body><thread>t</thread></message>")
	h.settle()
	h.Stop(t.Context())

	again := newHouseOn(t, h.store)
	juliet := again.bind("juliet@verona.lit/balcony")
	juliet.available(0)
	juliet.want("<body>ciao &amp; addio</body> & <thread>t</thread> & xml:lang='it' & from='romeo@verona.lit/orchard' & <delay ")
}

// TestOwedStaysOwedUntilWritten cuts a session that was given messages and
// wrote none: the next one gets them.
func TestOwedStaysOwedUntilWritten(t *testing.T) {
	h := newHouse(t)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	romeo.send("<message to='juliet@verona.lit'><body>one</body></message>")
	first := h.bind("juliet@verona.lit/balcony")
	first.slow = true
	first.available(0)
	first.want("one")
	h.Closed(first.Session, first, Cause{Code: LinkLost})
	second := h.bind("juliet@verona.lit/chamber")
	second.available(0)
	second.want("one")
}

// TestOwedIsCutOffWhereTheLinkBreaks breaks a link within a chunk: what it took
// and wrote is not owed any more.
func TestOwedIsCutOffWhereTheLinkBreaks(t *testing.T) {
	h := newHouse(t)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	romeo.send("<message to='juliet@verona.lit'><body>one</body></message>")
	romeo.send("<message to='juliet@verona.lit'><body>two</body></message>")
	first := h.bind("juliet@verona.lit/balcony")
	first.room = 1
	first.available(0)
	first.want("one")
	first.wake()
	h.Closed(first.Session, first, Cause{Code: LinkLost})
	second := h.bind("juliet@verona.lit/chamber")
	second.available(0)
	second.want("two")
}

// TestLiveMessagesComeAfterOwedOnes sends while a slow client still catches up.
func TestLiveMessagesComeAfterOwedOnes(t *testing.T) {
	h := newHouse(t)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	romeo.send("<message to='juliet@verona.lit'><body>one</body></message>")
	juliet := h.bind("juliet@verona.lit/balcony")
	juliet.slow = true
	juliet.available(0)
	h.settle()
	romeo.send("<message to='juliet@verona.lit'><body>two</body></message>")
	romeo.send("<message to='juliet@verona.lit/balcony' type='headline'><body>news</body></message>") // not kept: held
	romeo.send("<message to='juliet@verona.lit/balcony'><body>three</body></message>")
	h.settle()
	juliet.wake()
	juliet.want("one", "two", "three", "news")
	romeo.send("<message to='juliet@verona.lit'><body>four</body></message>")
	juliet.want("four")
}

// TestHeldMessagesAreNotLost ends a session while live messages wait behind the
// owed ones.
func TestHeldMessagesAreNotLost(t *testing.T) {
	h := newHouse(t)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	romeo.send("<message to='juliet@verona.lit'><body>one</body></message>")
	juliet := h.bind("juliet@verona.lit/balcony")
	juliet.slow = true
	juliet.available(0)
	h.settle()
	romeo.send("<message to='juliet@verona.lit'><body>two</body></message>")
	h.settle()
	h.Closed(juliet.Session, juliet, Cause{Code: LinkLost})
	again := h.bind("juliet@verona.lit/chamber")
	again.available(0)
	again.want("one", "two")
}

// TestMissedMessageIsOwed breaks the link of the only receiver.
func TestMissedMessageIsOwed(t *testing.T) {
	h := newHouse(t)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	juliet := h.online("juliet@verona.lit/balcony", 0)
	juliet.broken = true
	romeo.send("<message to='juliet@verona.lit' type='chat'><body>missed</body></message>")
	h.settle()
	h.Closed(juliet.Session, juliet, Cause{Code: LinkLost})
	again := h.bind("juliet@verona.lit/balcony")
	again.available(0)
	again.want("missed")
}

func TestCopyMissedByOneIsNotOwed(t *testing.T) {
	h := newHouse(t)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	a := h.online("juliet@verona.lit/a", 0)
	b := h.online("juliet@verona.lit/b", 0)
	b.broken = true
	romeo.send("<message to='juliet@verona.lit' type='chat'><body>x</body></message>")
	a.want("<body>x</body>")
	h.Closed(a.Session, a, Cause{Code: LinkLost})
	h.Closed(b.Session, b, Cause{Code: LinkLost})
	c := h.bind("juliet@verona.lit/c")
	c.available(0)
	c.want()
}

func TestFullLogBounces(t *testing.T) {
	h := newHouse(t, func(o *Options) { o.MaxLog = 1000 })
	romeo := h.online("romeo@verona.lit/orchard", 0)
	body := strings.Repeat("x", 300)
	for range 3 {
		romeo.send("<message to='juliet@verona.lit' id='m'><body>" + body + "</body></message>")
	}
	romeo.want("type='error' & service-unavailable & the receiver has")
	juliet := h.bind("juliet@verona.lit/balcony")
	juliet.available(0)
	if n := len(juliet.got()); n != 2 {
		t.Errorf("got %d messages, want the 2 that fit", n)
	}
	h.Kick(juliet.Session, Cause{Code: Kicked}, nil)
	romeo.send("<message to='juliet@verona.lit' id='m'><body>" + body + "</body></message>")
	romeo.want() // room again
}

func TestStorageTroubleIsTold(t *testing.T) {
	h := newHouse(t)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	romeo.send("<message to='trouble@verona.lit' id='m'><body>x</body></message>")
	romeo.want("type='error' & resource-constraint & type='wait'")
}

func TestForgetRemovesWhatIsOwed(t *testing.T) {
	h := newHouse(t)
	romeo := h.online("romeo@verona.lit/orchard", 0)
	romeo.send("<message to='juliet@verona.lit'><body>x</body></message>")
	h.settle()
	if err := h.Forget(t.Context(), jid.MustParse("juliet@verona.lit")); err != nil {
		t.Fatal(err)
	}
	juliet := h.bind("juliet@verona.lit/balcony")
	juliet.available(0)
	juliet.want()
}

func TestRetentionTrimsDeliveredOnly(t *testing.T) {
	h := newHouse(t, func(o *Options) { o.Retention = time.Nanosecond })
	romeo := h.online("romeo@verona.lit/orchard", 0)
	account := "juliet@verona.lit"
	inLog := func() (n int) {
		h.settle()
		storage.NewLog(h.store, tableLog).Scan(context.Background(), account, 0, func(uint64, []byte) bool { n++; return true })
		return n
	}
	romeo.send("<message to='juliet@verona.lit'><body>1</body></message>")
	if n := inLog(); n != 1 {
		t.Fatalf("%d records, want the owed one", n)
	}
	time.Sleep(2 * time.Millisecond) // ids have the grain of a millisecond
	juliet := h.bind("juliet@verona.lit/balcony")
	juliet.available(0)
	juliet.want("1")
	if n := inLog(); n != 0 {
		t.Errorf("%d records stay after delivery and retention", n)
	}
}

// TestRetentionOfQuietLogs: what is older goes also where nobody writes or reads.
func TestRetentionOfQuietLogs(t *testing.T) {
	h := newHouse(t, func(o *Options) { o.Retention, o.Archive = time.Nanosecond, ArchiveAlways })
	romeo, juliet := h.online("romeo@verona.lit/orchard", 0), h.online("juliet@verona.lit/balcony", 0)
	inLog := func(account string) (n int) {
		h.settle()
		storage.NewLog(h.store, tableLog).Scan(context.Background(), account, 0, func(uint64, []byte) bool { n++; return true })
		return n
	}
	romeo.send("<message to='juliet@verona.lit'><body>read</body></message>")
	juliet.want("read")
	romeo.send("<message to='nurse@verona.lit'><body>owed</body></message>")
	for _, account := range []string{"juliet@verona.lit", "nurse@verona.lit"} {
		if n := inLog(account); n == 0 {
			t.Fatalf("nothing in the log of %s", account)
		}
	}
	time.Sleep(2 * time.Millisecond) // ids have the grain of a millisecond
	if err := h.retire(context.Background(), 0); err != nil {
		t.Fatal(err)
	}
	h.settle()
	for account, want := range map[string]int{"juliet@verona.lit": 0, "nurse@verona.lit": 1} {
		if n := inLog(account); n != want {
			t.Errorf("%d records in the log of %s, want %d", n, account, want)
		}
	}
}

func TestRecordsOfOtherVersionsAreRefused(t *testing.T) {
	st, err := stanza.Parse([]byte("<message to='a@b' id='1'><body>x</body></message>"))
	if err != nil {
		t.Fatal(err)
	}
	at := time.UnixMilli(1700000000123)
	rec := encodeRecord(nil, at, recordHidden, []target{{tag: 7, n: 3, live: true}, {tag: 9}}, st.AppendTo(nil))
	r, err := viewRecord(rec)
	if err != nil {
		t.Fatal(err)
	}
	back, err := r.parse()
	if err != nil || !r.at.Equal(at) || string(back.AppendTo(nil)) != string(st.AppendTo(nil)) {
		t.Fatalf("%v %v %v", r.at, back, err)
	}
	if x, ok := r.names(7); !ok || !x.live || x.n != 3 || !r.hidden() || r.outgoing() {
		t.Errorf("target %+v %v", x, ok)
	}
	if x, ok := r.names(9); !ok || x.live {
		t.Errorf("target %+v %v", x, ok)
	}
	if _, ok := r.names(0); ok {
		t.Error("a record for somebody is taken for one for nobody")
	}
	rec[0] = recordVersionCopy + 1
	if _, err := viewRecord(rec); err == nil {
		t.Error("a record of a later version was read")
	}
	rec[0] = recordVersion
	for n := range recordHead + 2*targetLength {
		if _, err := viewRecord(rec[:n]); err == nil {
			t.Errorf("a record of %d bytes was read", n)
		}
	}
	l := ledger{account: jid.MustParse("a@b"), owed: []segment{{after: 3}, {7, 1, 2}}, last: 9, waiting: 77, size: 5}
	var other ledger
	if err := other.decode(l.encode()); err != nil || other.owed[0].after != 3 || other.owed[1] != l.owed[1] || other.waiting != 77 || other.size != 5 {
		t.Errorf("%+v %v", other.owed, err)
	}
	if err := other.decode(nil); err == nil {
		t.Error("an empty cursor record was read")
	}
}
