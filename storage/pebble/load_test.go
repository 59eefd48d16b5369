package pebble

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"weir/storage"
)

// pipelineLoad is what the session pipeline commits: one batch under way at a
// time, and the next collected meanwhile. A message is a record in the log of
// its receiver, one in the log of its sender (whole, or a short one that points to
// the other), and the cursors of both sessions, which are overwritten for ever.
type pipelineLoad struct {
	accounts, batch int
	short           bool // the sender's record
}

func (l pipelineLoad) String() string {
	copies := "two"
	if l.short {
		copies = "one"
	}
	return fmt.Sprintf("copies=%s/accounts=%d/batch=%d", copies, l.accounts, l.batch)
}

// BenchmarkPipeline measures the CPU time for a message with flushes and
// compactions. Give it a million messages to reach a steady state:
//
//	go test -run xxx -bench Pipeline -benchtime 1000000x ./storage/pebble
func BenchmarkPipeline(b *testing.B) {
	for _, d := range []Durability{Disk, Process} {
		for _, short := range []bool{false, true} {
			for _, accounts := range []int{64, 1000} {
				for _, batch := range []int{16, 64, 256} {
					l := pipelineLoad{accounts, batch, short}
					b.Run(fmt.Sprintf("%s/%s", d, l), func(b *testing.B) {
						st := open(b, Options{Dir: b.TempDir(), Durability: d})
						l.run(b, st)
						if err := st.Close(); err != nil {
							b.Fatal(err)
						}
					})
				}
			}
		}
	}
}

// run commits b.N messages.
func (l pipelineLoad) run(b *testing.B, st *Store) {
	b.ReportAllocs()
	c := newCollector(st, l)
	left, ended := b.N, make(chan error, 1)
	ready, spare := new(storage.Batch), new(storage.Batch)
	next := func(into *storage.Batch) {
		into.Reset()
		n := min(l.batch, left)
		left -= n
		for range n {
			c.message(into)
		}
	}
	var done func(error)
	done = func(err error) {
		if err != nil || ready.Len() == 0 {
			ended <- err
			return
		}
		st.Commit(ready, done)
		ready, spare = spare, ready
		next(ready)
	}
	next(ready)
	b.ResetTimer()
	before := cpu(b)
	first := ready
	ready = spare
	next(ready)
	spare = first
	st.Commit(first, done)
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	acked := cpu(b)
	settle(b, st)
	b.ReportMetric(float64((acked-before).Nanoseconds())/float64(b.N), "cpu-ns/msg-acked")
	b.ReportMetric(float64((cpu(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/msg")
	b.ReportMetric(float64(st.db.Metrics().DiskSpaceUsage())/float64(b.N), "disk-B/msg")
	b.ReportMetric(resident(b), "MiB-peak")
}

// settle waits until the compactions have caught up: what they still owe
// belongs to the cost of the messages.
func settle(b *testing.B, st *Store) {
	for quiet := 0; quiet < 20; {
		time.Sleep(10 * time.Millisecond)
		m := st.db.Metrics()
		quiet++
		if m.Compact.NumInProgress > 0 || m.Flush.NumInProgress > 0 {
			quiet = 0
		}
	}
}

// collector makes messages.
type collector struct {
	load     pipelineLoad
	log      storage.Log
	cursors  storage.Map
	rng      *rand.Rand
	accounts []string
	texts    [][]byte
	pointer  []byte
	cursor   []byte
	id       uint64
}

func newCollector(st storage.Store, l pipelineLoad) *collector {
	c := &collector{load: l, log: storage.NewLog(st, "messages"), cursors: storage.NewMap(st, "sessions"), rng: rand.New(rand.NewPCG(1, 2)), id: 1 << 60}
	for i := range l.accounts {
		c.accounts = append(c.accounts, fmt.Sprintf("user%d@example.com", i*7919%100003))
	}
	for range 4096 {
		c.texts = append(c.texts, c.text())
	}
	c.pointer, c.cursor = make([]byte, 40), make([]byte, 40)
	return c
}

// text is a message of 420 bytes with the repetition and the noise of a real one.
func (c *collector) text() []byte {
	t := fmt.Appendf(nil, "<message from='user%d@example.com/%016x' to='user%d@example.com' type='chat' id='%016x'><body>",
		c.rng.IntN(1000), c.rng.Uint64(), c.rng.IntN(1000), c.rng.Uint64())
	const end = "</body><request xmlns='urn:xmpp:receipts'/><active xmlns='http://jabber.org/protocol/chatstates'/></message>"
	for len(t) < 420-len(end) {
		for range 2 + c.rng.IntN(8) {
			t = append(t, "etaoinshrdlucmfwypvbgkjqxz"[min(c.rng.IntN(26), c.rng.IntN(26))])
		}
		t = append(t, ' ')
	}
	return append(t[:420-len(end)], end...)
}

// message adds one message to a batch.
func (c *collector) message(b *storage.Batch) {
	from, to := c.accounts[c.rng.IntN(len(c.accounts))], c.accounts[c.rng.IntN(len(c.accounts))]
	text := c.texts[c.rng.IntN(len(c.texts))]
	c.id += 1 + c.rng.Uint64N(64)<<20
	c.log.Append(b, to, c.id, text)
	c.id++
	if c.load.short {
		c.log.Append(b, from, c.id, c.pointer)
	} else {
		c.log.Append(b, from, c.id, text)
	}
	c.cursors.Put(b, from, "session-0123456789", c.cursor)
	if c.id%8 == 0 {
		c.cursors.Put(b, to, "session-0123456789", c.cursor)
	}
}

// BenchmarkScatteredPage reads the last 50 records of an account whose
// records came between those of 1,000 others.
func BenchmarkScatteredPage(b *testing.B) {
	st := open(b, Options{Dir: b.TempDir(), Durability: Process})
	c := newCollector(st, pipelineLoad{accounts: 1000})
	for range 2000 {
		var batch storage.Batch
		for range 100 {
			c.message(&batch)
		}
		if err := storage.Commit(b.Context(), st, &batch); err != nil {
			b.Fatal(err)
		}
	}
	settle(b, st)
	b.ResetTimer()
	before := cpu(b)
	for i := range b.N {
		n := 0
		err := c.log.ScanReverse(b.Context(), c.accounts[i*7%1000], math.MaxUint64, func(uint64, []byte) bool { n++; return n < 50 })
		if err != nil || n != 50 {
			b.Fatal(n, err)
		}
	}
	b.ReportMetric(float64((cpu(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/page")
	b.StopTimer()
	if err := st.Close(); err != nil {
		b.Fatal(err)
	}
}
