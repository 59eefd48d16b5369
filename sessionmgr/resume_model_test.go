package sessionmgr

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/jid"
	"weir/stanza"
	"weir/storage"
	"weir/storage/pebble"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// resumeModel is a random history of phones of one account.
type resumeModel struct {
	t       *testing.T
	h       *house
	store   storage.Store
	archive string
	disk    *gate // of the process
	full    bool  // it takes nothing
	unsure  bool  // what was sent last may be refused
	rng     *rand.Rand
	romeo   *line
	him     *phone // what he has heard, over all processes
	phones  []*phone
	sent    int
	failed  int          // errors that were sent
	toHer   map[int]bool // messages to juliet
	trace   []string
}

func (md *resumeModel) log(format string, args ...any) {
	md.trace = append(md.trace, fmt.Sprintf(format, args...))
}

func (md *resumeModel) fatal(format string, args ...any) {
	md.t.Helper()
	md.t.Fatalf(format+"\n%s", append(args, strings.Join(md.trace, "\n"))...)
}

func (md *resumeModel) connect(account string, p *phone) *line {
	n := &line{p: p}
	n.Session = md.h.Open(n, LinkInfo{})
	md.h.StreamOpened(n.Session, "verona.lit")
	md.h.Authenticated(n.Session, jid.MustParse(account))
	return n
}

func (md *resumeModel) start() {
	md.h = newHouseOn(md.t, md.store, func(o *Options) { o.Archive = md.archive })
	md.disk = &gate{Store: md.store}
	md.h.Manager.store = md.disk
	md.h.patience = 5 * time.Millisecond
	if err := md.h.Restore(context.Background()); err != nil {
		md.fatal("%v", err)
	}
	md.romeo = md.connect("romeo@verona.lit", md.him)
	if err := md.h.Bind(context.Background(), md.romeo.Session, "orchard", func(jid.JID) {}); err != nil {
		md.fatal("%v", err)
	}
}

func (md *resumeModel) bind(p *phone) {
	n := md.connect("juliet@verona.lit", p)
	if err := md.h.Bind(context.Background(), n.Session, p.name, func(jid.JID) {}); err != nil {
		md.fatal("bind: %v", err)
	}
	err := md.h.Enable(context.Background(), n.Session, n, true, 0, func(e Enabled) { p.id = e.ID })
	if err != nil {
		md.fatal("enable: %v", err)
	}
	p.line = n
	p.has, p.acked = 0, 0
}

func (md *resumeModel) available(p *phone) {
	st, err := stanza.New(stanza.Presence, "", "", p.line.JID(), jid.JID{}, nil)
	if err != nil {
		md.fatal("%v", err)
	}
	priority := []int8{0, 0, 0, 5, -1}[md.rng.IntN(5)]
	if p.name == "last" {
		priority = 0
	}
	md.log("%s is available with %d", p.name, priority)
	p.line.SetPresence(st, priority)
}

// carbons turns copies on.
func (md *resumeModel) carbons(p *phone) {
	md.log("%s has carbons", p.name)
	if err := md.h.SetCarbons(context.Background(), p.line.Session, true); err != nil {
		md.fatal("%v", err)
	}
	p.carbons = true
}

func (md *resumeModel) resume(p *phone) {
	n := md.connect("juliet@verona.lit", p)
	has := p.has
	var handled uint32
	err := md.h.Manager.Resume(context.Background(), n.Session, n, p.id, has, func(s *Session, h uint32) { n.Session, handled = s, h })
	if err != nil && md.full {
		md.log("not resumed: %v", err)
		p.acked = has // it was told
		return
	}
	if err != nil {
		md.fatal("resume of %s with %d: %v", p.name, has, err)
	}
	_ = handled
	p.acked = has
	p.line = n
}

// send has romeo write to juliet or to one of her phones, or a phone to romeo.
func (md *resumeModel) send(alive []*phone) {
	from, to := md.romeo, "juliet@verona.lit"
	var writer *phone
	if len(alive) > 0 {
		switch p := alive[md.rng.IntN(len(alive))]; {
		case md.rng.IntN(3) > 0:
		case md.rng.IntN(2) == 0:
			to += "/" + p.name
		case p.line != nil && !p.line.dead:
			writer, from, to = p, p.line, "romeo@verona.lit/orchard"
		}
	}
	st, err := stanza.New(stanza.Message, "chat", fmt.Sprintf("m%d", md.sent), from.JID(), jid.MustParse(to), []byte("<body>x</body>"))
	if err != nil {
		md.fatal("%v", err)
	}
	md.log("send m%d to %s", md.sent, to)
	md.unsure = md.unsure || md.full
	md.toHer[md.sent] = writer == nil
	for _, p := range alive {
		if p.carbons && p != writer && (writer == nil || !md.full) { // who has ended is not told that it is refused
			p.due = append(p.due, md.sent)
		}
	}
	md.sent++
	done := make(chan struct{})
	if md.h.Inbound(from.Session, from, st, func() { close(done) }) {
		<-done
	}
	md.h.FlushTouched()
}

// fail has romeo answer a phone with an error, or somebody do so in his name.
func (md *resumeModel) fail(p *phone) {
	st, err := stanza.New(stanza.Message, "error", fmt.Sprintf("e%d", md.failed), md.romeo.JID(), jid.MustParse("juliet@verona.lit/"+p.name),
		[]byte("<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"))
	if err != nil {
		md.fatal("%v", err)
	}
	md.log("send e%d to %s", md.failed, p.name)
	if !md.full {
		p.errors = append(p.errors, md.failed)
	}
	md.failed++
	md.h.Inbound(md.romeo.Session, md.romeo, st, nil)
	md.h.FlushTouched()
}

// fill has the disk be full, or have space.
func (md *resumeModel) fill(full bool) {
	if md.full == full {
		return
	}
	md.log("the disk is full: %v", full)
	var err error
	if md.full = full; full {
		md.h.settle()
		err = fmt.Errorf("disk: %w", storage.ErrFull)
	}
	md.disk.set(false, err)
}

func (md *resumeModel) ack(p *phone) {
	n := p.line.got()
	if n == p.acked {
		return
	}
	h := p.acked + 1 + uint32(md.rng.IntN(int(n-p.acked)))
	md.log("%s acknowledges %d of %d", p.name, h, n)
	p.acked = h
	md.h.Acknowledge(p.line.Session, p.line, h, func(sent uint32) { md.t.Errorf("%s: %d too high, %d sent", p.name, h, sent) })
}

func (md *resumeModel) cut(p *phone) {
	md.log("%s is cut", p.name)
	if md.rng.IntN(2) == 0 {
		md.settle()
	}
	n := p.line
	n.Close(nil)
	p.line = nil
	md.h.Closed(n.Session, n, Cause{Code: LinkLost})
}

// end has a phone never come back.
func (md *resumeModel) end(p *phone) {
	md.log("%s ends", p.name)
	tag, _, _ := parseStreamID(p.id)
	if p.line != nil {
		p.line.Close(nil)
	}
	p.line, p.ended = nil, true
	if s := md.h.registry.byTag(jid.MustParse("juliet@verona.lit"), tag); s != nil {
		md.h.Kick(s, Cause{Code: Expired}, nil)
	}
}

func (md *resumeModel) step() {
	var alive []*phone
	for _, p := range md.phones {
		if !p.ended {
			alive = append(alive, p)
		}
	}
	if md.rng.IntN(25) == 0 {
		md.fill(true)
	} else if md.rng.IntN(6) == 0 {
		md.fill(false)
	}
	if md.rng.IntN(30) == 0 {
		md.fill(false)
		if md.unsure {
			md.settle() // he hears whether it was taken
		}
		clean := md.rng.IntN(2) == 0
		md.log("restart, clean %v", clean)
		if clean {
			md.h.Stop(context.Background())
		} else {
			md.h.settle()
			md.h.failed.Store(true) // nothing of it acts any more
			md.h.quiet.Store(true)
		}
		for _, p := range alive {
			if p.line != nil {
				p.line.Close(nil)
				p.line = nil
			}
		}
		md.start()
		return
	}
	n := md.rng.IntN(20)
	if n < 8 {
		md.send(alive)
		return
	}
	if len(alive) == 0 || n < 10 && len(alive) < 5 {
		md.fill(false)
		p := &phone{name: fmt.Sprintf("r%d", len(md.phones))}
		md.log("bind %s", p.name)
		md.phones = append(md.phones, p)
		md.bind(p)
		if md.rng.IntN(2) == 0 {
			md.carbons(p)
		}
		if md.rng.IntN(5) > 0 {
			md.available(p)
		}
		return
	}
	p := alive[md.rng.IntN(len(alive))]
	if md.rng.IntN(8) == 0 {
		md.fail(p)
		return
	}
	switch {
	case n < 14 && p.line != nil:
		md.ack(p)
	case n < 17 && p.line != nil:
		md.cut(p)
	case n < 18:
		md.fill(false)
		md.end(p)
	case p.line == nil:
		md.log("%s resumes", p.name)
		md.resume(p)
	case md.rng.IntN(2) == 0:
		md.look(p)
	default:
		md.settle()
	}
}

// settle waits until nothing is under way, unless that can't be: a full disk is tried
// again and again.
func (md *resumeModel) settle() {
	if !md.full {
		md.h.settle()
		md.unsure = false
	}
}

// look has somebody look at a phone, or nobody, while presence comes.
func (md *resumeModel) look(p *phone) {
	away := md.rng.IntN(2) == 0
	md.log("%s is inactive: %v", p.name, away)
	md.h.SetInactive(p.line.Session, p.line, away)
	for range md.rng.IntN(4) {
		from := jid.MustParse(fmt.Sprintf("romeo@verona.lit/%d", md.rng.IntN(3)))
		st, err := stanza.New(stanza.Presence, "", "", from, p.line.JID(), nil)
		if err != nil {
			md.fatal("%v", err)
		}
		md.h.Submit(Entry{Out: []Delivery{{To: p.line.Session, Stanza: st}}})
	}
}

// check holds what the phones heard against the promises.
func (md *resumeModel) check() {
	got := make([]int, md.sent)
	read := make([]bool, md.sent) // acknowledged by somebody
	for _, p := range md.phones {
		seen, newest := map[int]bool{}, -1
		for _, h := range p.heard {
			if h.no < 0 {
				continue
			}
			if seen[h.no] {
				md.fatal("%s got m%d twice", p.name, h.no)
			}
			seen[h.no] = true
			got[h.no]++
			if !h.owed {
				if h.no < newest {
					md.fatal("%s got m%d after m%d", p.name, h.no, newest)
				}
				newest = h.no
			}
			read[h.no] = read[h.no] || h.at <= p.acked
		}
	}
	for _, no := range md.him.refused {
		if got[no] > 0 {
			md.fatal("m%d came %d times, and its sender was told that it reaches nobody", no, got[no])
		}
		md.toHer[no] = false
	}
	for no := range md.sent {
		if !read[no] && md.toHer[no] {
			md.fatal("m%d is lost: came %d times, and nobody has acknowledged it", no, got[no])
		}
	}
}

// copies holds that a phone which is still there has heard everything since it
// wanted copies.
func (md *resumeModel) copies(p *phone) {
	heard := map[int]bool{}
	for _, h := range p.heard {
		heard[h.no] = true
	}
	for _, no := range p.due {
		if !heard[no] && !slices.Contains(md.him.refused, no) {
			md.fatal("%s did not hear of m%d", p.name, no)
		}
	}
}

// errors holds that a phone which is still there has heard of every error once, in
// order.
func (md *resumeModel) errors(p *phone) {
	told := map[int]int{}
	for i, no := range p.told {
		told[no]++
		if i > 0 && p.told[i-1] >= no && slices.Contains(p.errors, no) && slices.Contains(p.errors, p.told[i-1]) {
			md.fatal("%s heard of e%d before e%d", p.name, p.told[i-1], no)
		}
		if told[no] > 1 {
			md.fatal("%s heard of e%d again", p.name, no)
		}
	}
	for _, no := range p.errors {
		if told[no] == 0 {
			md.fatal("%s did not hear of e%d", p.name, no)
		}
	}
}

// TestResumeModel goes through random histories of several phones of one
// account, with restarts and with processes that stop without a word. In the end
// somebody has acknowledged every message to her, on no phone did one come twice
// or out of order, be it as a copy, and who wants copies has heard everything. Every
// error came to the phone that it was for. The disk is full now and then.
func TestResumeModel(t *testing.T) {
	for seed := range uint64(150) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			st, err := pebble.Open(pebble.Options{FS: vfs.NewMem(), Dir: "data"})
			if err != nil {
				t.Fatal(err)
			}
			defer st.Close()
			md := &resumeModel{t: t, store: st, rng: rand.New(rand.NewPCG(seed, 7)), him: &phone{}, toHer: map[int]bool{}, archive: ArchiveAlways}
			if seed%2 == 1 {
				md.archive = ArchiveNever
			}
			md.start()
			for range 80 {
				md.step()
			}
			md.fill(false)
			for _, p := range md.phones {
				if !p.ended {
					if p.line == nil {
						md.log("%s resumes", p.name)
						md.resume(p)
					}
					md.h.until(func() (caught bool) { // a newcomer's messages wait a while
						md.h.settle()
						md.h.inOrder(func() { caught = !p.line.behind })
						return caught
					})
					md.copies(p)
					md.errors(p)
					md.end(p)
				}
			}
			last := &phone{name: "last"}
			md.phones = append(md.phones, last)
			md.bind(last)
			md.available(last)
			md.h.settle()
			last.acked = last.line.got()
			md.check()
			md.h.Stop(context.Background())
		})
	}
}
