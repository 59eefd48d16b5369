//go:build unix

package netserver

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// The client of the benchmarks is this test binary run once more, so that the
// CPU time of this process is the server's alone.
const benchEnv = "WEIR_NETSERVER_BENCH_CLIENT" // address, plain or tls, connections, window; or address, "visits", whether resumed

const benchMessage = 300 // bytes

func startBenchClient(b *testing.B, addr string, secure bool, conns, window int) {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %t %d %d", benchEnv, addr, secure, conns, window))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		in.Close() // tells it to end
		if err := cmd.Wait(); err != nil {
			b.Error(err)
		}
	})
}

// benchClient opens connections, which the server joins two by two; window
// messages go round each pair. With window 0 each sends one and is idle.
func benchClient(args string) error {
	f := strings.Fields(args)
	if f[1] == "visits" {
		return benchVisits(f[0], f[2] == "true")
	}
	conns, err1 := strconv.Atoi(f[2])
	window, err2 := strconv.Atoi(f[3])
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	message := bytes.Repeat([]byte{'x'}, benchMessage)
	var all []net.Conn
	for i := range conns {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+i/2000))}}
		nc, err := d.Dial("tcp", f[0])
		if err != nil {
			return err
		}
		if f[1] == "true" {
			nc = tls.Client(nc, &tls.Config{InsecureSkipVerify: true})
		}
		all = append(all, nc)
		if window == 0 {
			if _, err := nc.Write(message); err != nil {
				return err
			}
			if _, err := io.ReadFull(nc, make([]byte, benchMessage)); err != nil {
				return err
			}
		} else if t, ok := nc.(*tls.Conn); ok {
			if err := t.Handshake(); err != nil {
				return err
			}
		}
	}
	for i, nc := range all {
		if window > 0 {
			go goRound(nc, message, window*(1-i%2))
		}
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// goRound sends n messages and from then on what it gets.
func goRound(nc net.Conn, message []byte, n int) {
	if _, err := nc.Write(bytes.Repeat(message, n)); err != nil {
		return
	}
	buf := make([]byte, 64<<10)
	have := 0
	for {
		n, err := nc.Read(buf[have:])
		have += n
		whole := have - have%benchMessage
		if err == nil && whole > 0 {
			_, err = nc.Write(buf[:whole])
			have = copy(buf, buf[whole:have])
		}
		if err != nil {
			return
		}
	}
}

// relay joins connections two by two.
type relay struct {
	mu      sync.Mutex
	waiting *relayEnd
	pairs   atomic.Int64
	count   atomic.Int64
	enough  atomic.Int64
	done    chan struct{}
	once    sync.Once
}

type relayEnd struct {
	r     *relay
	conn  *Conn
	other *Conn
	dirty bool
}

func (r *relay) New(c *Conn) (Handler, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := &relayEnd{r: r, conn: c}
	if w := r.waiting; w != nil {
		e.other, w.other, r.waiting = w.conn, c, nil
		r.pairs.Add(1)
	} else {
		r.waiting = e
	}
	return e, nil
}

func (e *relayEnd) Data(c *Conn, b []byte) (int, error) {
	taken := 0
	for ; len(b)-taken >= benchMessage; taken += benchMessage {
		msg := b[taken : taken+benchMessage]
		if e.other.Append(func(dst []byte) []byte { return append(dst, msg...) }) != nil {
			return taken, ErrClosed
		}
		e.dirty = true
		if e.r.count.Add(1) == e.r.enough.Load() {
			e.r.once.Do(func() { close(e.r.done) })
		}
	}
	return taken, nil
}

func (e *relayEnd) BatchEnd(*Conn) {
	if e.dirty {
		e.dirty = false
		e.other.Drain()
	}
}

func (e *relayEnd) PreDrain(_ *Conn, b []byte) []byte     { return b }
func (e *relayEnd) Drained(*Conn)                         {}
func (e *relayEnd) ReadTimeout(*Conn, bool) time.Duration { return 0 }
func (e *relayEnd) Closed(*Conn, error)                   {}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkRelay reports the server's CPU time for each message that is read
// from one connection and written to another.
func BenchmarkRelay(b *testing.B) {
	for _, secure := range []bool{false, true} {
		for _, v := range []struct{ pairs, window int }{{1, 1}, {100, 1}, {20, 32}} {
			b.Run(fmt.Sprintf("tls=%t/pairs=%d/under_way=%d", secure, v.pairs, v.window), func(b *testing.B) {
				s := New(Options{})
				r := &relay{done: make(chan struct{})}
				l := Listen{Addr: "127.0.0.1:0", New: r.New}
				if secure {
					l.TLS = testCert(b).server(true)
				}
				addr, err := s.Listen(l)
				if err != nil {
					b.Fatal(err)
				}
				warm := int64(v.pairs * v.window * 10)
				r.enough.Store(warm + int64(b.N))
				startBenchClient(b, addr.String(), secure, 2*v.pairs, v.window)
				for r.count.Load() < warm {
					time.Sleep(time.Millisecond)
				}
				from, cpu := r.count.Load(), cpuTime()
				b.ResetTimer()
				<-r.done
				b.StopTimer()
				n := r.count.Load() - from
				b.ReportMetric(float64(cpuTime()-cpu)/1e3/float64(max(n, 1)), "cpu-µs/msg")
				end(b, s)
			})
		}
	}
}

func end(b *testing.B, s *Server) {
	b.Helper()
	s.CloseListeners()
	s.mu.Lock()
	var all []*Conn
	for c := range s.conns {
		all = append(all, c)
	}
	s.mu.Unlock()
	for _, c := range all {
		c.cut()
	}
	if err := s.Shutdown(b.Context()); err != nil {
		b.Error(err)
	}
}

// BenchmarkIdle reports what a connection costs that has done something once.
// The iterations mean nothing: run it with -benchtime 1x, in a process of its own
// for each line.
func BenchmarkIdle(b *testing.B) {
	const conns = 2000
	for _, secure := range []bool{false, true} {
		b.Run(fmt.Sprintf("tls=%t", secure), func(b *testing.B) {
			s := New(Options{})
			r := newRecorder()
			r.conn = make(chan *Conn, conns)
			r.closed = make(chan error, conns)
			var answered atomic.Int64
			r.onData = func(c *Conn, b []byte) (int, error) {
				answered.Add(int64(len(b)))
				return len(b), c.Append(func(dst []byte) []byte { return append(dst, b...) })
			}
			l := Listen{Addr: "127.0.0.1:0", New: r.New}
			if secure {
				l.TLS = testCert(b).server(true)
			}
			addr, err := s.Listen(l)
			if err != nil {
				b.Fatal(err)
			}
			before := memory()
			startBenchClient(b, addr.String(), secure, conns, 0)
			for answered.Load() < conns*benchMessage {
				time.Sleep(10 * time.Millisecond)
			}
			asIs := rss()
			time.Sleep(2 * s.quiet)
			after := memory()
			kib := func(a, b uint64) float64 { return (float64(a) - float64(b)) / 1024 / conns }
			b.ReportMetric(kib(after.heap, before.heap), "heap-KiB/conn")
			b.ReportMetric(kib(after.stack, before.stack), "stack-KiB/conn")
			b.ReportMetric(kib(after.heap+after.stack, before.heap+before.stack), "sum-KiB/conn")
			b.ReportMetric(kib(after.rss, before.rss), "rss-KiB/conn")
			b.ReportMetric(kib(asIs, before.rss), "rss-at-once-KiB/conn")
			if f := os.Getenv("WEIR_HEAP_PROFILE"); f != "" {
				writeHeapProfile(b, f)
			}
			end(b, s)
		})
	}
}

type memoryUse struct{ heap, stack, rss uint64 }

func memory() memoryUse {
	runtime.GC()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return memoryUse{m.HeapInuse, m.StackInuse, rss()}
}

func rss() uint64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	f := strings.Fields(string(b))
	n, _ := strconv.ParseUint(f[1], 10, 64)
	return n * uint64(os.Getpagesize())
}
