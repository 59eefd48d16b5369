package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/integration/testclient"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes the test binary a weir too, so that the scripts run the whole
// program in a process of its own.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"weir": main})
}

// patience bounds each wait of a script.
const patience = 30 * time.Second

// TestScripts runs the scripts of testdata, each in a folder of its own.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Values["beside"] = &beside{}
			e.Setenv("TMPDIR", filepath.Join(e.WorkDir, "tmp"))
			return os.MkdirAll(filepath.Join(e.WorkDir, "tmp"), 0o700)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve": serveBeside, "signal": signalServer, "awaitend": awaitEnd, "awaitlog": awaitLog, "login": loginClient, "ended": clientEnded,
			"takeport": takePort, "accounts": writeAccounts, "notified": notified,
			"hang": hang,
		},
	})
}

// beside is what runs beside a script.
type beside struct {
	server *exec.Cmd
	end    chan error
	client *testclient.Client
	notify *net.UnixConn
}

func besideOf(ts *testscript.TestScript) *beside { return ts.Value("beside").(*beside) }

// serveBeside is "serve ARG…": it starts "weir serve ARG…" and waits until it
// has told what to do next. Its addresses are then $C2S, $C2S_TLS and so on, its
// output in server.out and server.log.
func serveBeside(ts *testscript.TestScript, _ bool, args []string) {
	b := besideOf(ts)
	bin, _, _ := strings.Cut(ts.Getenv("PATH"), string(os.PathListSeparator))
	cmd := exec.Command(filepath.Join(bin, "weir"), append([]string{"serve"}, args...)...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = []string{"PATH=" + ts.Getenv("PATH"), "HOME=" + ts.Getenv("HOME"), "TMPDIR=" + ts.Getenv("TMPDIR"),
		"NOTIFY_SOCKET=" + ts.Getenv("NOTIFY_SOCKET"), "WATCHDOG_USEC=" + ts.Getenv("WATCHDOG_USEC")}
	log, err := os.Create(ts.MkAbs("server.log"))
	ts.Check(err)
	defer log.Close()
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Defer(func() { _ = cmd.Process.Kill() })
	copied, err := os.Create(ts.MkAbs("server.out"))
	ts.Check(err)
	ready := regexp.MustCompile(`^to make an account|^See who is there`)
	lines, started := bufio.NewScanner(out), false
	for !started && lines.Scan() {
		fmt.Fprintln(copied, lines.Text())
		if f := strings.Fields(lines.Text()); len(f) == 3 && f[0] == "listening" {
			ts.Setenv(strings.ToUpper(strings.ReplaceAll(f[1], "-", "_")), f[2])
		}
		started = ready.MatchString(lines.Text())
	}
	copied.Close()
	b.server, b.end = cmd, make(chan error, 1)
	go func() {
		_, _ = io.Copy(io.Discard, out)
		b.end <- cmd.Wait()
	}()
	if !started {
		ts.Fatalf("the server didn't start: %s", ts.ReadFile("server.log"))
	}
}

// signalServer is "signal NAME".
func signalServer(ts *testscript.TestScript, _ bool, args []string) {
	sig := map[string]syscall.Signal{"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "HUP": syscall.SIGHUP, "KILL": syscall.SIGKILL, "STOP": syscall.SIGSTOP, "CONT": syscall.SIGCONT}[args[0]]
	ts.Check(besideOf(ts).server.Process.Signal(sig))
}

// awaitLog is "awaitlog TEXT": the server has to write this to its log.
func awaitLog(ts *testscript.TestScript, _ bool, args []string) {
	for began := time.Now(); !strings.Contains(ts.ReadFile("server.log"), args[0]); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > patience {
			ts.Fatalf("%q isn't logged:\n%s", args[0], ts.ReadFile("server.log"))
		}
	}
}

// awaitEnd is "awaitend CODE": the server has to end with this exit code.
func awaitEnd(ts *testscript.TestScript, _ bool, args []string) {
	b := besideOf(ts)
	select {
	case err := <-b.end:
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		if code := b.server.ProcessState.ExitCode(); strconv.Itoa(code) != args[0] {
			ts.Fatalf("exit code %d, want %s\n%s", code, args[0], ts.ReadFile("server.log"))
		}
	case <-time.After(patience):
		ts.Fatalf("the server didn't end\n%s", ts.ReadFile("server.log"))
	}
}

// loginClient is "login ADDR USER PASSWORD RESOURCE".
func loginClient(ts *testscript.TestScript, neg bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	security := testclient.StartTLS
	if args[0] == ts.Getenv("C2S_TLS") {
		security = testclient.DirectTLS
	}
	c, err := testclient.Dial(ctx, testclient.Options{Addr: args[0], Security: security})
	ts.Check(err)
	ts.Defer(func() { _ = c.Cut() })
	switch err = c.Login(ctx, args[1], args[2], args[3]); {
	case err != nil && !neg:
		ts.Fatalf("login: %v", err)
	case err == nil && neg:
		ts.Fatalf("%s got in", args[1])
	}
	besideOf(ts).client = c
}

// hang is "hang ADDR": a client that opens a stream, and then neither reads nor
// goes.
func hang(ts *testscript.TestScript, _ bool, args []string) {
	c, err := net.Dial("tcp", args[0])
	ts.Check(err)
	ts.Defer(func() { c.Close() })
	_, err = io.WriteString(c, "<stream:stream to='localhost' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>")
	ts.Check(err)
	_, err = c.Read(make([]byte, 1))
	ts.Check(err)
}

// clientEnded is "ended TEXT": the client's stream has to end with an error that
// holds the text.
func clientEnded(ts *testscript.TestScript, _ bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	last, _ := besideOf(ts).client.WaitEnd(ctx)
	if !slices.ContainsFunc(last, func(e *testclient.Element) bool { return strings.Contains(e.String(), args[0]) }) {
		ts.Fatalf("the stream ended with %v, want %s", last, args[0])
	}
}

// takePort is "takeport VAR": it listens on a free port and sets VAR to its address.
func takePort(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	ts.Setenv(args[0], l.Addr().String())
}

// writeAccounts is "accounts FILE N": a list for --from.
func writeAccounts(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "user%d@localhost password%d\n", i, i)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(b.String()), 0o600))
}

// notified is "notified" without arguments, which makes a socket as systemd has
// it, or with what has to arrive there next.
func notified(ts *testscript.TestScript, _ bool, args []string) {
	b := besideOf(ts)
	if len(args) == 0 {
		dir, err := os.MkdirTemp("", "weir") // a short path
		ts.Check(err)
		ts.Defer(func() { os.RemoveAll(dir) })
		path := filepath.Join(dir, "notify")
		b.notify, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
		ts.Check(err)
		ts.Setenv("NOTIFY_SOCKET", path)
		return
	}
	ts.Check(b.notify.SetReadDeadline(time.Now().Add(patience)))
	for {
		buf := make([]byte, 256)
		n, err := b.notify.Read(buf)
		ts.Check(err)
		if got := string(buf[:n]); got == args[0] {
			return
		} else if got != "WATCHDOG=1" {
			ts.Fatalf("systemd was told %s, want %s", got, args[0])
		}
	}
}
