package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"weir/integration/torture/history"
)

// report is what a run comes to.
type report struct {
	history.Verdict
	run  history.Run
	seed uint64
	took time.Duration
	dir  string // of the run, "" if it was removed
}

// ok reports whether every promise that could be checked was kept.
func (r *report) ok() bool { return len(r.Findings) == 0 }

// run makes a server and its clients, lets the nemesis work, waits until all is
// quiet, and judges. The error says why there could be no judgement.
func run(ctx context.Context, o options) (_ *report, err error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	dir, temporary := o.dir, o.dir == ""
	if temporary {
		if dir, err = os.MkdirTemp("", "weir-torture-"); err != nil {
			return nil, err
		}
	}
	r := &report{seed: o.seed, dir: dir}
	w, n, err := prepare(ctx, o, dir)
	if err == nil {
		r.run, err = w.all(ctx, n)
		r.took = w.at()
	}
	if err != nil {
		return nil, fmt.Errorf("%w\nthe folder of the run is %s, the seed %d", err, dir, o.seed)
	}
	r.Verdict = history.Check(r.run, history.Rules{LooseAcks: o.looseAcks, LooseResends: o.looseSend})
	if r.ok() && !o.keep && temporary {
		r.dir = ""
		return r, os.RemoveAll(dir)
	}
	return r, r.save()
}

// save writes the whole history into the run's folder.
func (r *report) save() error {
	f, err := os.Create(filepath.Join(r.dir, "history.txt"))
	if err != nil {
		return err
	}
	return errors.Join(r.run.Write(f), f.Close())
}

// prepare builds the server, configures it and makes accounts and clients.
func prepare(ctx context.Context, o options, dir string) (*world, *nemesis, error) {
	path, err := build(ctx, &o, dir)
	if err != nil {
		return nil, nil, err
	}
	s := &server{path: path, dir: dir, env: o.env}
	w := &world{options: o, begin: time.Now(), server: s, calmed: make(chan struct{})}
	n := &nemesis{world: w, rng: rand.New(rand.NewPCG(o.seed, 0))}
	s.note = n.note
	if err := os.MkdirAll(s.faults(), 0o700); err != nil {
		return nil, nil, err
	}
	if s.output, err = os.Create(filepath.Join(dir, "server.log")); err != nil {
		return nil, nil, err
	}
	if w.wander, err = s.configure(o.set, o.hibernate); err != nil {
		return nil, nil, err
	}
	if err := s.addAccounts(o.clients); err != nil {
		return nil, nil, err
	}
	for i := range o.clients {
		c, err := newClient(w, int32(i))
		if err != nil {
			return nil, nil, err
		}
		w.clients = append(w.clients, c)
	}
	return w, n, nil
}

// all is the run itself.
func (w *world) all(ctx context.Context, n *nemesis) (history.Run, error) {
	defer w.server.output.Close()
	defer w.server.kill()
	w.begin = time.Now()
	if err := w.server.start(ctx); err != nil {
		return history.Run{}, err
	}
	if err := w.probe(ctx); err != nil {
		return history.Run{}, err
	}
	if err := w.addDevices(ctx); err != nil {
		return history.Run{}, err
	}
	if err := w.befriend(ctx); err != nil {
		return history.Run{}, err
	}
	clientsCtx, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for _, c := range w.clients {
		wg.Go(func() { c.live(clientsCtx) })
	}
	err := w.torment(ctx, n)
	if err == nil {
		err = w.settle(ctx, n)
	}
	stop()
	wg.Wait()
	w.left.Wait()
	if err != nil {
		return history.Run{}, err
	}
	r := history.Run{Contacts: w.contacts}
	for _, c := range w.clients {
		if c.device > 0 {
			r.Devices = append(r.Devices, history.Device{Account: c.id, Log: c.log})
		} else {
			r.Clients = append(r.Clients, c.log)
		}
	}
	if r.Archives, err = archives(ctx, w); err != nil {
		return history.Run{}, err
	}
	r.Incidents = n.recorded()
	n.server.stop()
	r.Incidents = n.recorded()
	return r, nil
}

// probe finds out whether the server offers what is to be tested.
func (w *world) probe(ctx context.Context) error {
	s, end, err := w.clients[0].visit(ctx)
	if err != nil {
		return err
	}
	defer end()
	if s.features.Child(nsSM, "sm") == nil {
		return errNoSM
	}
	return nil
}

// torment lets the nemesis work for the duration, and tells how it goes.
func (w *world) torment(ctx context.Context, n *nemesis) error {
	ctx, cancel := context.WithTimeout(ctx, w.duration)
	defer cancel()
	told := make(chan struct{})
	go func() {
		defer close(told)
		for pauseFor(ctx, 30*time.Second) == nil {
			fmt.Fprintf(w.out, "%6.0fs  %d deeds, %d of %d clients have a stream\n",
				w.at().Seconds(), len(n.recorded()), w.connected(), len(w.clients))
		}
	}()
	err := n.work(ctx)
	cancel()
	<-told
	return err
}

// connected counts the clients that have a session on a stream.
func (w *world) connected() int {
	n := 0
	for _, c := range w.clients {
		if c.live_.Load() {
			n++
		}
	}
	return n
}

// settle waits until everything that was sent has been acknowledged and nothing
// more comes. Then everybody leaves in order and comes back as a new session,
// which must get nothing but what was owed.
func (w *world) settle(ctx context.Context, n *nemesis) error {
	close(w.calmed)
	for _, f := range []string{"enospc", "fsync", "fsync.done"} {
		if err := n.control(f, false); err != nil {
			return err
		}
	}
	if w.server.where() == nil {
		if err := n.again(ctx); err != nil {
			return err
		}
	}
	n.note("calm", w.server.process, "")
	w.becalm(ctx)
	if w.wander {
		// What sessions had that were left behind comes when they are given up.
		d, err := time.ParseDuration(w.hibernate)
		if err != nil {
			return fmt.Errorf("torture: hibernate: %w", err)
		}
		if err := pauseFor(ctx, d+5*time.Second); err != nil {
			return err
		}
		w.becalm(ctx)
	}
	n.note(history.Quiet, w.server.process, "")
	n.note("last round", w.server.process, "everybody leaves and comes back")
	for _, c := range w.clients {
		n.order(c, order{do: doLeave})
	}
	if err := pauseFor(ctx, time.Second); err != nil {
		return err
	}
	w.becalm(ctx)
	n.note(history.Quiet, w.server.process, "")
	return nil
}

// quietFor is how long nothing new has to come.
const quietFor = 2 * time.Second

// becalm waits until all clients have a session on a stream, nothing is
// unacknowledged, and nothing has come for a while. What isn't so after some time is
// found by the checker: as a message that is stuck or lost.
func (w *world) becalm(ctx context.Context) {
	begin := w.at()
	for w.at()-begin < w.quiet+w.pause {
		busy := slices.ContainsFunc(w.clients, func(c *client) bool {
			last := max(time.Duration(c.news.Load()), begin)
			return !c.live_.Load() || c.unacked.Load() > 0 || w.at()-last < quietFor
		})
		if !busy || pauseFor(ctx, 50*time.Millisecond) != nil {
			return
		}
	}
}
