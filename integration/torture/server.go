package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"weir/integration/torture/history"
)

// startPatience and stopPatience bound what the server's process is waited for.
const (
	startPatience = 30 * time.Second
	stopPatience  = 30 * time.Second
)

// place is where a process of the server takes connections. Each process has
// ports of its own, so who reached one knows which it was.
type place struct {
	process       uint32
	plain, secure string
}

// server is the server under test: one data folder, one process after the other.
// Its methods are called by the nemesis, where by everybody.
type server struct {
	path   string // of the binary
	dir    string // of the run
	config string
	env    []string // added to the processes' environment
	note   func(history.Deed, uint32, string)

	now     atomic.Pointer[place]
	process uint32
	cmd     *exec.Cmd
	done    chan struct{}
	wanted  atomic.Bool // that it ends
	output  *os.File

	mu   sync.Mutex // guards tail
	tail []string   // the last lines of the output
}

// where returns where the server is, nil while it is down.
func (s *server) where() *place { return s.now.Load() }

func (s *server) data() string   { return filepath.Join(s.dir, "data") }
func (s *server) faults() string { return filepath.Join(s.dir, "faults") }

// build makes the binary.
func build(ctx context.Context, o *options, dir string) (string, error) {
	if o.binary != "" {
		return filepath.Abs(o.binary)
	}
	path := filepath.Join(dir, "weir")
	args := []string{"build", "-tags", "faults", "-o", path}
	if o.race {
		args = append(args, "-race")
	}
	if out, err := exec.CommandContext(ctx, "go", append(args, "weir/cmd/weir")...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("torture: building the server: %w\n%s", err, out)
	}
	return path, nil
}

// run runs another command of the binary.
func (s *server) run(args ...string) (string, error) {
	cmd := exec.Command(s.path, args...)
	cmd.Env = append(os.Environ(), s.env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("torture: weir %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// configure writes the configuration file; settings are SECTION.KEY=VALUE. It
// reports whether the server knows how long a session may hibernate.
func (s *server) configure(settings []string, hibernate string) (hibernates bool, err error) {
	known, err := s.run("config")
	if err != nil {
		return false, err
	}
	all := []string{"stream.byte_rate=0", "stream.stanza_rate=0", "auth.iterations=4096", "auth.sha1=false"}
	if _, section, ok := strings.Cut(known, "\n[session]\n"); ok && hibernate != "" {
		section, _, _ = strings.Cut(section, "\n[")
		if hibernates = strings.Contains(section, "\n#hibernate ="); hibernates {
			all = append(all, fmt.Sprintf("session.hibernate=%q", hibernate))
		}
	}
	sections, order := map[string]string{}, []string(nil)
	for _, line := range append(all, settings...) {
		key, value, ok := strings.Cut(line, "=")
		section, key, ok2 := strings.Cut(key, ".")
		if !ok || !ok2 {
			return false, fmt.Errorf("torture: -set %s: it has to be SECTION.KEY=VALUE", line)
		}
		if sections[section] == "" {
			order = append(order, section)
		}
		sections[section] += key + " = " + value + "\n"
	}
	var file strings.Builder
	for _, name := range order {
		fmt.Fprintf(&file, "[%s]\n%s\n", name, sections[name])
	}
	s.config = filepath.Join(s.dir, "weir.toml")
	return hibernates, os.WriteFile(s.config, []byte(file.String()), 0o600)
}

// addAccounts makes the accounts while no server runs.
func (s *server) addAccounts(n int) error {
	var list strings.Builder
	for i := range n {
		fmt.Fprintf(&list, "%s@%s %s\n", account(int32(i)), domain, password(int32(i)))
	}
	file := filepath.Join(s.dir, "accounts")
	if err := os.WriteFile(file, []byte(list.String()), 0o600); err != nil {
		return err
	}
	_, err := s.run("user", "add", "--config", s.config, "--data", s.data(), "--from", file)
	return err
}

var listening = regexp.MustCompile(`\b(c2s-tls|c2s-insecure)\b[^\n]*?(127\.0\.0\.1:[1-9]\d*)`)

// start starts a process and waits until it takes connections.
func (s *server) start(ctx context.Context) error {
	s.process++
	s.done = make(chan struct{})
	s.wanted.Store(false)
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd := exec.Command(s.path, "serve", "--config", s.config, "--data", s.data(), "--domain", domain,
		"--c2s", "", "--c2s-tls", "127.0.0.1:0", "--c2s-insecure", "127.0.0.1:0")
	cmd.Stdout, cmd.Stderr = w, w
	cmd.Env = append(append(os.Environ(), s.env...), "TORTURE_FAULTS="+s.faults())
	if err := errors.Join(cmd.Start(), w.Close()); err != nil {
		return fmt.Errorf("torture: starting the server: %w", err)
	}
	s.cmd = cmd
	ready := make(chan place, 1)
	read := make(chan struct{})
	go func() { s.read(r, s.process, ready); close(read) }()
	go s.await(cmd, s.process, read, s.done)
	timeout := time.NewTimer(startPatience)
	defer timeout.Stop()
	select {
	case p := <-ready:
		s.note(history.Started, s.process, "")
		s.now.Store(&p)
		return nil
	case <-s.done:
		return fmt.Errorf("torture: the server ended while it started:\n%s", s.last())
	case <-timeout.C:
		return fmt.Errorf("torture: the server didn't tell where it listens:\n%s", s.last())
	case <-ctx.Done():
		return ctx.Err()
	}
}

// await waits for the end of a process, which somebody has to have wanted.
func (s *server) await(cmd *exec.Cmd, process uint32, read <-chan struct{}, done chan<- struct{}) {
	err := cmd.Wait()
	<-read
	if !s.wanted.Load() {
		s.now.Store(nil)
		s.note(history.Failure, process, fmt.Sprintf("the server ended by itself (%v); its last lines:\n%s", err, s.last()))
	}
	close(done)
}

// read takes the output of a process until its end.
func (s *server) read(r io.ReadCloser, process uint32, ready chan<- place) {
	defer r.Close()
	p := place{process: process}
	in := bufio.NewScanner(r)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		line := in.Text()
		fmt.Fprintf(s.output, "[%d] %s\n", process, line)
		s.mu.Lock()
		s.tail = append(s.tail[max(0, len(s.tail)-60):], line)
		s.mu.Unlock()
		if strings.Contains(line, "DATA RACE") || strings.Contains(line, "panic") {
			s.note(history.Failure, process, "the server wrote: "+line)
		}
		if m := listening.FindStringSubmatch(line); m != nil && (p.plain == "" || p.secure == "") {
			if m[1] == "c2s-tls" {
				p.secure = m[2]
			} else {
				p.plain = m[2]
			}
			if p.plain != "" && p.secure != "" {
				ready <- p
			}
		}
	}
}

// last returns the end of the server's output.
func (s *server) last() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.tail, "\n")
}

// kill ends the process by SIGKILL.
func (s *server) kill() {
	if s.cmd == nil {
		return
	}
	s.now.Store(nil)
	s.wanted.Store(true)
	_ = s.cmd.Process.Kill() // it may have ended already
	<-s.done
	s.cmd = nil
	s.note(history.Killed, s.process, "")
}

// stop ends the process in order; it must do that with success and in time.
func (s *server) stop() {
	s.now.Store(nil)
	s.wanted.Store(true)
	if err := s.signal(syscall.SIGTERM); err != nil {
		s.note(history.Failure, s.process, err.Error())
	}
	select {
	case <-s.done:
		if code := s.cmd.ProcessState.ExitCode(); code != 0 {
			s.note(history.Failure, s.process, fmt.Sprintf("the server ended with exit code %d when asked to stop:\n%s", code, s.last()))
		}
		s.cmd = nil
	case <-time.After(stopPatience):
		s.note(history.Failure, s.process, fmt.Sprintf("the server didn't end within %v of SIGTERM", stopPatience))
		s.kill()
	}
}

func (s *server) signal(sig os.Signal) error { return s.cmd.Process.Signal(sig) }

// account and password of a client.
func account(client int32) string  { return fmt.Sprintf("t%04d", client) }
func password(client int32) string { return fmt.Sprintf("password-%04d", client) }
