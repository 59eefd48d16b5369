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
	"syscall"
	"time"

	"weir/integration/torture/history"
)

// deeds are what the nemesis can do, by the names that -nemesis takes.
var deeds = []string{"kill", "tear", "restart", "cut", "abandon", "slow", "pause", "full", "fsync"}

// nemesis does harm, one deed after the other, as its seed has it.
type nemesis struct {
	*world
	rng *rand.Rand

	mu        sync.Mutex // guards incidents
	incidents []history.Incident
}

// note records what happened. The server's goroutines call it too.
func (n *nemesis) note(d history.Deed, process uint32, what string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.incidents = append(n.incidents, history.Incident{At: n.at(), Deed: d, N: process, Note: what})
}

// recorded returns a copy of what happened so far.
func (n *nemesis) recorded() []history.Incident {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.incidents)
}

// between returns a time between two.
func (n *nemesis) between(lo, hi time.Duration) time.Duration {
	return lo + time.Duration(n.rng.Int64N(int64(hi-lo)+1))
}

// pauseFor waits, or fails when ctx ends.
func pauseFor(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// work does harm until ctx ends. First everything once, then at random; tear is
// no deed of its own but goes with kills.
func (n *nemesis) work(ctx context.Context) error {
	does := map[string]func(context.Context) error{
		"kill": n.kills, "restart": n.restart, "cut": n.cuts, "abandon": n.abandons, "slow": n.slow, "pause": n.pauses,
		"full": n.full, "fsync": n.fsync,
	}
	weights := map[string]int{"kill": 8, "cut": 8, "abandon": 3, "restart": 2, "slow": 2, "pause": 1, "full": 1, "fsync": 1}
	var first, urn []string
	for _, name := range deeds {
		if does[name] != nil && slices.Contains(n.nemesis, name) {
			first = append(first, name)
			for range weights[name] {
				urn = append(urn, name)
			}
		}
	}
	n.rng.Shuffle(len(first), func(i, j int) { first[i], first[j] = first[j], first[i] })
	for {
		if err := pauseFor(ctx, n.between(200*time.Millisecond, 1500*time.Millisecond)); err != nil {
			return nil
		}
		if len(urn) == 0 {
			continue
		}
		name := urn[n.rng.IntN(len(urn))]
		if len(first) > 0 {
			name, first = first[0], first[1:]
		}
		if err := does[name](ctx); err != nil && !errors.Is(err, ctx.Err()) {
			return fmt.Errorf("torture: %s: %w", name, err)
		}
	}
}

// again kills the server and starts it, perhaps on a torn log.
func (n *nemesis) again(ctx context.Context) error {
	n.server.kill()
	if slices.Contains(n.nemesis, "tear") && n.rng.IntN(3) == 0 {
		if err := n.tear(); err != nil {
			return err
		}
	}
	return n.server.start(context.WithoutCancel(ctx))
}

// kills kills the server several times in a row.
func (n *nemesis) kills(ctx context.Context) error {
	for range 1 + n.rng.IntN(5) {
		if err := n.again(ctx); err != nil {
			return err
		}
		if err := pauseFor(ctx, n.between(50*time.Millisecond, 500*time.Millisecond)); err != nil {
			return err
		}
	}
	return nil
}

// tear gives the log of the killed server the end that a power cut could have
// left: bytes that were being written. What was acknowledged was synced, so
// nothing of the log itself may be missing, and from outside it can't be known where
// the last sync ended: so nothing is cut off, and garbage is put behind.
func (n *nemesis) tear() error {
	logs, err := filepath.Glob(filepath.Join(n.server.data(), "store", "*.log"))
	if err != nil || len(logs) == 0 {
		return err // a store without a log has nothing to tear
	}
	newest := slices.Max(logs) // their names are numbers of one width
	junk := make([]byte, 1+n.rng.IntN(4<<10))
	kind := "zeros"
	if n.rng.IntN(3) > 0 {
		kind = "garbage"
		for i := range junk {
			junk[i] = byte(n.rng.Uint32())
		}
	}
	if kind == "garbage" && len(junk) > 7 && n.rng.IntN(2) == 0 {
		// Half a record of Pebble's: checksum, a length beyond the end, a kind.
		kind = "half a record"
		size := len(junk) + 1 + n.rng.IntN(4<<10)
		junk[4], junk[5], junk[6] = byte(size), byte(size>>8), byte(5+n.rng.IntN(8))
	}
	f, err := os.OpenFile(newest, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(junk)
	n.note("tear", n.server.process, fmt.Sprintf("%d bytes of %s behind %s", len(junk), kind, filepath.Base(newest)))
	return errors.Join(err, f.Close())
}

// restart ends the server in order and starts it.
func (n *nemesis) restart(ctx context.Context) error {
	n.note("restart", n.server.process, "")
	n.server.stop()
	return n.server.start(context.WithoutCancel(ctx))
}

// some returns a random share of the clients, one at least.
func (n *nemesis) some(share float64) []*client {
	all := slices.Clone(n.clients)
	n.rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:1+n.rng.IntN(max(1, int(share*float64(len(all)))))]
}

// order gives an order to a client that has a session. It reports whether it could.
func (n *nemesis) order(c *client, o order) bool {
	if !c.live_.Load() {
		return false
	}
	select {
	case c.orders <- o:
		return true
	default:
		return false
	}
}

// each gives an order to some clients and notes how many got it.
func (n *nemesis) each(name history.Deed, share float64, make func() order) {
	for _, c := range n.some(share) {
		if o := make(); n.order(c, o) {
			n.note(name, n.server.process, account(c.id))
		}
	}
}

func (n *nemesis) cuts(ctx context.Context) error {
	for range 1 + n.rng.IntN(4) {
		n.each("cut", 0.4, func() order { return order{do: doCut, reset: n.rng.IntN(2) == 0, renew: n.rng.IntN(8) == 0} })
		if err := pauseFor(ctx, n.between(20*time.Millisecond, 400*time.Millisecond)); err != nil {
			return err
		}
	}
	return nil
}

func (n *nemesis) abandons(context.Context) error {
	n.each("abandon", 0.3, func() order { return order{do: doAbandon, renew: n.rng.IntN(8) == 0} })
	return nil
}

// slow makes some clients stop reading while others write much to them.
func (n *nemesis) slow(ctx context.Context) error {
	for _, victim := range n.some(0.05) {
		quiet := n.between(500*time.Millisecond, max(2*n.pause, time.Second))
		if !n.order(victim, order{do: doSlow, quiet: quiet}) {
			continue
		}
		n.note("slow", n.server.process, fmt.Sprintf("%s for %v", account(victim.id), quiet))
		for _, c := range n.some(0.2) {
			if c != victim {
				n.order(c, order{do: doBurst, to: victim.id, letters: 20 + n.rng.IntN(80)})
			}
		}
	}
	return pauseFor(ctx, n.between(0, time.Second))
}

// pauses stops the process for a while; it may find connections that were given
// up meanwhile.
func (n *nemesis) pauses(ctx context.Context) error {
	d := n.between(n.pause/30, n.pause)
	n.note("pause", n.server.process, d.String())
	if err := n.server.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	err := pauseFor(ctx, d/2)
	if n.rng.IntN(2) == 0 {
		n.each("cut", 0.3, func() order { return order{do: doCut, reset: n.rng.IntN(2) == 0} })
	}
	err = errors.Join(err, pauseFor(ctx, d/2))
	return errors.Join(n.server.signal(syscall.SIGCONT), err)
}

// control makes or removes a file that asks the server's file system for a fault.
func (n *nemesis) control(name string, there bool) error {
	file := filepath.Join(n.server.faults(), name)
	if there {
		return os.WriteFile(file, nil, 0o600)
	}
	err := os.Remove(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// full fills the disk for a while. Messages come back as errors then, which
// nothing keeps over a kill: so everybody is connected and nothing else
// happens from a while before to a while after.
func (n *nemesis) full(ctx context.Context) error {
	n.together(ctx)
	n.note(history.Filled, n.server.process, "")
	if err := n.control("enospc", true); err != nil {
		return err
	}
	err := pauseFor(ctx, n.between(500*time.Millisecond, 4*time.Second))
	err = errors.Join(err, n.control("enospc", false))
	n.note(history.Roomy, n.server.process, "")
	// Longer than a server that looks only now and then believes that it has no room.
	if e := pauseFor(context.WithoutCancel(ctx), 5*time.Second); e != nil {
		return e
	}
	if !n.together(context.WithoutCancel(ctx)) {
		n.note("not recovered", n.server.process, "not everybody is connected after the disk was full")
		err = errors.Join(err, n.again(ctx))
	}
	return err
}

// together waits until all clients have a session on a stream, for some seconds
// at most, and reports whether they have.
func (n *nemesis) together(ctx context.Context) bool {
	for range 200 {
		if !slices.ContainsFunc(n.clients, func(c *client) bool { return !c.live_.Load() }) {
			return true
		}
		if pauseFor(ctx, 50*time.Millisecond) != nil {
			return false
		}
	}
	return false
}

// faultPatience is how long a sync is waited for that can fail.
const faultPatience = 5 * time.Second

// fsync lets one fsync fail, watches the server not acknowledge anything for a
// while, and kills it: nothing else helps.
func (n *nemesis) fsync(ctx context.Context) error {
	if err := errors.Join(n.control("fsync.done", false), n.control("fsync", true)); err != nil {
		return err
	}
	begin := time.Now()
	for {
		if _, err := os.Stat(filepath.Join(n.server.faults(), "fsync.done")); err == nil {
			break
		}
		if time.Since(begin) > faultPatience || ctx.Err() != nil {
			if os.Remove(filepath.Join(n.server.faults(), "fsync")) == nil {
				n.note("no fsync", n.server.process, "nothing was synced")
				return nil
			}
			continue // taken just now
		}
		time.Sleep(time.Millisecond)
	}
	n.note(history.Faulted, n.server.process, "")
	err := pauseFor(ctx, n.between(500*time.Millisecond, 3*time.Second))
	n.server.kill()
	return errors.Join(n.control("fsync.done", false), n.server.start(context.WithoutCancel(ctx)), err)
}
