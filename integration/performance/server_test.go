package performance

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir"
	"weir/config"
	"weir/jid"
	"weir/storage/pebble"
)

// TestMain runs the server instead of the tests in the process that is started
// for it.
func TestMain(m *testing.M) {
	if os.Getenv("WEIR_PERFORMANCE_HEAP") != "" {
		runtime.MemProfileRate = 512
	}
	if os.Getenv("WEIR_PERFORMANCE_SERVER") != "" {
		if err := serve(os.Getenv("WEIR_PERFORMANCE_SERVER")); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// accounts is how many accounts the measured server has, unless
// WEIR_PERFORMANCE_ACCOUNTS says another number: user0, user1, …, all with the password
// "password".
const accounts = 200

// serve runs a server on a data folder, writes a CPU profile of itself to the
// file that WEIR_PERFORMANCE_PROFILE names, if any, and a heap profile at each
// "memory" to the one that WEIR_PERFORMANCE_HEAP names. It answers commands from
// standard input: "cpu" with the CPU time of the process, "memory" with what is in use
// after a collection.
func serve(data string) error {
	if name := os.Getenv("WEIR_PERFORMANCE_PROFILE"); name != "" {
		f, err := os.Create(name)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	defer weir.ReserveHeap(weir.HeapFloor)() // as cmd/weir does
	ctx := context.Background()
	cfg := config.Default()
	cfg.Data = data
	cfg.Listen = config.Listen{C2STLS: "127.0.0.1:0", C2SInsecure: "127.0.0.1:0", InsecurePlain: true}
	cfg.Stream.ByteRate, cfg.Stream.StanzaRate = 0, 0
	cfg.Session.MaxSessions = 255
	cfg.Network.MaxPerAddr, cfg.Network.MaxUnauthPerAddr = 1<<20, 1<<20
	if d := os.Getenv("WEIR_PERFORMANCE_DURABILITY"); d != "" {
		cfg.Storage.Durability = pebble.Durability(d)
	}
	if a := os.Getenv("WEIR_PERFORMANCE_ARCHIVE"); a != "" {
		cfg.Session.Archive = a
	}
	if d := os.Getenv("WEIR_PERFORMANCE_HIBERNATE"); d != "" {
		var err error
		if cfg.Session.Hibernate, err = time.ParseDuration(d); err != nil {
			return err
		}
	}
	cfg.Auth.Iterations, cfg.Auth.SHA1 = 4096, false
	s, err := weir.New(ctx, cfg, nil)
	if err != nil {
		return err
	}
	defer s.Stop(ctx)
	n, most := 0, accounts
	if a := os.Getenv("WEIR_PERFORMANCE_ACCOUNTS"); a != "" {
		if most, err = strconv.Atoi(a); err != nil {
			return err
		}
	}
	err = s.Auth.CreateMany(ctx, func() (jid.JID, string, error) {
		if n == most {
			return jid.JID{}, "", io.EOF
		}
		n++
		j, err := jid.Parse(fmt.Sprintf("user%d@localhost", n-1))
		return j, "password", err
	}, func(int) {})
	if err != nil {
		return err
	}
	if err := s.Start(ctx); err != nil {
		return err
	}
	var all []string
	for _, a := range s.Addresses() {
		all = append(all, a.Name+"="+a.Addr)
	}
	fmt.Println("ready", strings.Join(all, " "))
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		switch in.Text() {
		case "cpu":
			var u syscall.Rusage
			if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
				return err
			}
			fmt.Println("cpu", u.Utime.Nano()+u.Stime.Nano())
		case "memory":
			for range 3 {
				runtime.GC()
			}
			debug.FreeOSMemory()
			if name := os.Getenv("WEIR_PERFORMANCE_HEAP"); name != "" {
				if err := writeHeap(name); err != nil {
					return err
				}
			}
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			fmt.Println("memory", m.HeapAlloc, m.HeapInuse, m.StackInuse, rss())
		}
	}
	return nil
}

func writeHeap(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return pprof.WriteHeapProfile(f)
}

// rss is the resident memory of this process in bytes.
func rss() int64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, resident int64
	fmt.Sscan(string(b), &size, &resident)
	return resident * int64(os.Getpagesize())
}

// server is the measured process.
type server struct {
	b     *testing.B
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Scanner
	addrs map[string]string
}

// startServer starts a server that has no data yet.
func startServer(b *testing.B, settings ...string) *server {
	b.Helper()
	return startOn(b, b.TempDir(), settings...)
}

// startOn starts a server on a data folder, and waits until it has its listeners.
func startOn(b *testing.B, data string, settings ...string) *server {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), "WEIR_PERFORMANCE_SERVER="+data), settings...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	s := &server{b: b, cmd: cmd, in: in, out: bufio.NewScanner(out), addrs: map[string]string{}}
	b.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	for _, a := range s.answer("ready") {
		name, addr, _ := strings.Cut(a, "=")
		s.addrs[name] = addr
	}
	return s
}

// answer reads one line of the server and returns the words behind the first.
func (s *server) answer(word string) []string {
	s.b.Helper()
	if !s.out.Scan() {
		s.b.Fatalf("the server said nothing: %v", s.out.Err())
	}
	words := strings.Fields(s.out.Text())
	if len(words) == 0 || words[0] != word {
		s.b.Fatalf("the server said %q", s.out.Text())
	}
	return words[1:]
}

func (s *server) ask(word string) []int64 {
	s.b.Helper()
	fmt.Fprintln(s.in, word)
	var all []int64
	for _, w := range s.answer(word) {
		var n int64
		fmt.Sscan(w, &n)
		all = append(all, n)
	}
	return all
}

// cpu is the server's CPU time so far.
func (s *server) cpu() time.Duration { return time.Duration(s.ask("cpu")[0]) }

// memory is what is in use after a collection, in bytes.
type memory struct{ live, heap, stack, resident int64 }

func (s *server) memory() memory {
	m := s.ask("memory")
	return memory{m[0], m[1], m[2], m[3]}
}
