package testserver

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds each wait for the process: a start, a stop.
const patience = 30 * time.Second

// Names of the listeners, as the command line has them.
const (
	C2S      = "c2s"          // STARTTLS
	Direct   = "c2s-tls"      // TLS from the first byte
	Insecure = "c2s-insecure" // TLS offered but not required
)

// Options are the settings of one server.
type Options struct {
	Binary *Binary
	Domain string // default localhost
	// Accounts are local parts; the password of each is what Password returns.
	Accounts []string
	// Args are added to the command line of serve.
	Args []string
	// Config is a configuration file (TOML). The command line wins over it.
	Config string
}

// Password returns the password of a test account.
func Password(account string) string { return account + "-password" }

// Server is a running server process.
type Server struct {
	Dir    string // its data folder
	Domain string

	tb   testing.TB
	path string
	args []string
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
	exit error         // how, valid after done

	// Output of the process, guarded by mu.
	mu    sync.Mutex
	lines []string
	addrs map[string]string
	news  chan struct{}
}

// Start makes a data folder with the accounts and starts a server in it on free
// ports of the loopback address. The test's cleanup stops it and fails the test
// if it doesn't end in order; when the test failed the server's output is logged.
func Start(tb testing.TB, o Options) *Server {
	tb.Helper()
	if o.Domain == "" {
		o.Domain = "localhost"
	}
	path, err := o.Binary.Path()
	if err != nil {
		tb.Fatal(err)
	}
	s := &Server{Dir: filepath.Join(tb.TempDir(), "data"), Domain: o.Domain, tb: tb, path: path}
	s.args = append([]string{"serve", "--data", s.Dir, "--domain", o.Domain, "--c2s", "127.0.0.1:0",
		"--c2s-tls", "127.0.0.1:0", "--c2s-insecure", "127.0.0.1:0"}, o.Args...)
	if o.Config != "" {
		file := filepath.Join(filepath.Dir(s.Dir), "weir.toml")
		if err := os.WriteFile(file, []byte(o.Config), 0o600); err != nil {
			tb.Fatal(err)
		}
		s.args = append(s.args, "--config", file)
	}
	s.addAccounts(o.Accounts)
	s.start()
	tb.Cleanup(func() {
		if s.cmd != nil {
			s.Stop()
		}
		if tb.Failed() {
			tb.Logf("output of the server:\n%s", s.Output())
		}
	})
	return s
}

// addAccounts makes accounts while no server runs.
func (s *Server) addAccounts(names []string) {
	s.tb.Helper()
	if len(names) == 0 {
		return
	}
	var list strings.Builder
	for _, n := range names {
		fmt.Fprintf(&list, "%s@%s %s\n", n, s.Domain, Password(n))
	}
	file := filepath.Join(filepath.Dir(s.Dir), "accounts")
	if err := os.WriteFile(file, []byte(list.String()), 0o600); err != nil {
		s.tb.Fatal(err)
	}
	s.Run("user", "add", "--data", s.Dir, "--from", file)
}

// Run runs another command of the binary and returns its output; a failure ends the test.
func (s *Server) Run(args ...string) string {
	s.tb.Helper()
	out, err := exec.Command(s.path, args...).CombinedOutput()
	if err != nil {
		s.tb.Fatalf("testserver: weir %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Command is Run on the data of this server.
func (s *Server) Command(args ...string) {
	s.tb.Helper()
	s.Run(append(args, "--data", s.Dir)...)
}

func (s *Server) start() {
	s.tb.Helper()
	s.addrs, s.news, s.done = map[string]string{}, make(chan struct{}, 1), make(chan struct{})
	cmd := exec.Command(s.path, s.args...)
	r, w, err := os.Pipe()
	if err != nil {
		s.tb.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		s.tb.Fatalf("testserver: %v", err)
	}
	s.cmd = cmd
	_ = w.Close() // the process has it
	read := make(chan struct{})
	go func() { s.read(r); close(read) }()
	go func() {
		s.exit = cmd.Wait()
		<-read
		close(s.done)
	}()
	s.awaitListeners()
}

var listening = regexp.MustCompile(`\b(c2s(?:-tls|-insecure)?)\b[^\n]*?((?:\d+\.){3}\d+:[1-9]\d*|\[::1?\]:[1-9]\d*)`)

// read takes the process's output until its end.
func (s *Server) read(r io.ReadCloser) {
	defer r.Close()
	in := bufio.NewScanner(r)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		s.mu.Lock()
		s.lines = append(s.lines, in.Text())
		if m := listening.FindStringSubmatch(in.Text()); m != nil && s.addrs[m[1]] == "" {
			s.addrs[m[1]] = m[2]
		}
		s.mu.Unlock()
		select {
		case s.news <- struct{}{}:
		default:
		}
	}
}

// awaitListeners waits until the server has told all three addresses.
func (s *Server) awaitListeners() {
	s.tb.Helper()
	timeout := time.After(patience)
	for {
		if s.Addr(C2S) != "" && s.Addr(Direct) != "" && s.Addr(Insecure) != "" {
			return
		}
		select {
		case <-s.news:
		case <-s.done:
			s.tb.Fatalf("testserver: the server ended while it started: %v\n%s", s.exit, s.Output())
		case <-timeout:
			s.tb.Fatalf("testserver: the server didn't tell where it listens\n%s", s.Output())
		}
	}
}

// Addr returns where a listener is (host:port), "" if that isn't known.
func (s *Server) Addr(listener string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addrs[listener]
}

// Output returns what the server wrote so far.
func (s *Server) Output() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.lines, "\n")
}

// PID returns the id of the server's process, while it runs.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Stop asks the server to end and waits until it has; any exit code but 0 fails the test.
func (s *Server) Stop() {
	s.tb.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.tb.Errorf("testserver: %v", err)
	}
	select {
	case <-s.done:
	case <-time.After(patience):
		s.tb.Errorf("testserver: the server didn't end within %v of SIGTERM\n%s", patience, s.Output())
		s.Kill()
		return
	}
	s.cmd = nil
	if s.exit != nil {
		s.tb.Errorf("testserver: the server ended with %v", s.exit)
	}
}

// Kill ends the process at once (SIGKILL).
func (s *Server) Kill() {
	s.tb.Helper()
	if err := s.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.tb.Errorf("testserver: %v", err)
	}
	<-s.done
	s.cmd = nil
}

// Again starts the server once more on the same data, after Stop or Kill.
func (s *Server) Again() {
	s.tb.Helper()
	s.start()
}
