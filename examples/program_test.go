// Package examples tests the examples as a user would use them: each is built,
// started on a folder of its own, and met by a client over the network.
package examples

import (
	"bufio"
	"bytes"
	"errors"
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

// patience bounds each wait.
const patience = time.Minute

const password = "correct horse battery"

// builder builds the examples and the command at most once.
type builder struct {
	once sync.Once
	dir  string
	err  error
}

var programs builder

func TestMain(m *testing.M) {
	code := m.Run()
	if programs.dir != "" {
		_ = os.RemoveAll(programs.dir)
	}
	os.Exit(code)
}

// path returns where a program is: an example, or weir itself.
func (b *builder) path(t *testing.T, name string) string {
	t.Helper()
	b.once.Do(func() {
		if b.dir, b.err = os.MkdirTemp("", "weir-examples-"); b.err != nil {
			return
		}
		args := []string{"build", "-o", b.dir}
		if raceEnabled {
			args = append(args, "-race")
		}
		out, err := exec.Command("go", append(args, "weir/cmd/weir", "weir/examples/...")...).CombinedOutput()
		if err != nil {
			b.err = errors.New(err.Error() + "\n" + string(out))
		}
	})
	if b.err != nil {
		t.Fatal(b.err)
	}
	return filepath.Join(b.dir, name)
}

// command runs a command to its end and returns its output; a failure ends the test.
func command(t *testing.T, dir, stdin, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(stdin)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, &errs)
	}
	return string(out)
}

// weir runs the command of the server on a data folder.
func weir(t *testing.T, data, stdin string, args ...string) string {
	t.Helper()
	return command(t, "", stdin, programs.path(t, "weir"), append(args, "--data", data)...)
}

// accounts makes some, all with the one password.
func accounts(t *testing.T, data string, names ...string) {
	t.Helper()
	for _, n := range names {
		weir(t, data, password+"\n", "user", "add", n+"@localhost")
	}
}

// program is an example that runs.
type program struct {
	t    *testing.T
	cmd  *exec.Cmd
	done chan struct{} // closed at its end
	exit error         // valid after done

	mu    sync.Mutex // guards what is below
	lines []string
	news  chan struct{} // closed and renewed with each line
}

// launch starts a program, which the test's cleanup stops.
func launch(t *testing.T, cmd *exec.Cmd) *program {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = w, w
	p := &program{t: t, cmd: cmd, done: make(chan struct{}), news: make(chan struct{})}
	err = cmd.Start()
	_ = w.Close() // the program has it
	if err != nil {
		_ = r.Close()
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() { p.read(r); close(read) }()
	go func() {
		p.exit = cmd.Wait()
		<-read
		close(p.done)
	}()
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("output of %s:\n%s", filepath.Base(cmd.Path), p.output())
		}
	})
	return p
}

// start starts an example that listens on a port of its own.
func start(t *testing.T, name, data string) *program {
	t.Helper()
	return launch(t, exec.Command(programs.path(t, name), "-data", data, "-c2s", "127.0.0.1:0"))
}

func (p *program) read(r io.ReadCloser) {
	defer r.Close()
	in := bufio.NewScanner(r)
	for in.Scan() {
		p.mu.Lock()
		p.lines = append(p.lines, in.Text())
		close(p.news)
		p.news = make(chan struct{})
		p.mu.Unlock()
	}
}

func (p *program) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines, "\n")
}

// find waits for a line of output and returns what its expression's group means.
func (p *program) find(expr string) string {
	p.t.Helper()
	re := regexp.MustCompile(expr)
	timeout := time.After(patience)
	ended := false
	for {
		p.mu.Lock()
		news := p.news
		for _, l := range p.lines {
			if m := re.FindStringSubmatch(l); m != nil {
				p.mu.Unlock()
				return m[len(m)-1]
			}
		}
		p.mu.Unlock()
		if ended {
			p.t.Fatalf("the program ended (%v) and never said %s", p.exit, expr)
		}
		select {
		case <-news:
		case <-p.done:
			ended = true // look once more
		case <-timeout:
			p.t.Fatalf("the program doesn't say %s", expr)
		}
	}
}

// addr is where a listener of the program is.
func (p *program) addr(listener string) string {
	p.t.Helper()
	return p.find(`msg=listening listener=` + listener + ` addr=(\S+)`)
}

// stop asks the program to end; it has to end in order.
func (p *program) stop() {
	p.t.Helper()
	if p.cmd == nil {
		return
	}
	cmd := p.cmd
	p.cmd = nil
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Error(err)
	}
	select {
	case <-p.done:
		if p.exit != nil {
			p.t.Errorf("the program ended with %v", p.exit)
		}
	case <-time.After(patience):
		p.t.Error("the program doesn't end")
		_ = cmd.Process.Kill()
		<-p.done
	}
}

// kill ends the program at once.
func (p *program) kill() {
	p.t.Helper()
	cmd := p.cmd
	p.cmd = nil
	if err := cmd.Process.Kill(); err != nil {
		p.t.Error(err)
	}
	<-p.done
}
