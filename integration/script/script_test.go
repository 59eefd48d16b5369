package script

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	s, err := Parse([]byte(`It proves something.

-- script --
# a comment
juliet: login balcony

juliet> <message
  to='romeo'/>
romeo< <message/>
romeo<~ <presence/>
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []Step{
		{Line: 5, Actor: "juliet", Kind: Command, Arg: "login balcony"},
		{Line: 7, Actor: "juliet", Kind: Send, Arg: "<message to='romeo'/>"},
		{Line: 9, Actor: "romeo", Kind: Next, Arg: "<message/>"},
		{Line: 10, Actor: "romeo", Kind: Any, Arg: "<presence/>"},
	}
	if fmt.Sprint(s.Steps) != fmt.Sprint(want) || s.Steps[1].Line != 7 || s.Proves != "It proves something." {
		t.Errorf("parsed %+v", s)
	}
	s, err = Parse([]byte("Proves.\n-- config --\n[session]\n-- script --\nx: close\n"))
	if err != nil || s.Config != "[session]\n" || len(s.Steps) != 1 || s.Steps[0].Line != 5 {
		t.Errorf("parsed %+v, %v", s, err)
	}
}

func TestParseRefuses(t *testing.T) {
	for text, why := range map[string]string{
		"-- script --\njuliet: close\n":          "1: the comment",
		"Proves.\n-- script --\n":                "there is no step",
		"Proves.\n-- script --\nwhat is this\n":  "3: not a step",
		"Proves.\n-- script --\n  and so on\n":   "3: nothing to continue",
		"Proves.\n-- scirpt --\nx: close\n":      `section "scirpt"`,
		"Proves.\n-- script --\nJuliet: close\n": "3: not a step",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestScriptsParse holds that every script of the repository is one.
func TestScriptsParse(t *testing.T) {
	files, err := filepath.Glob("../scripts/*.txtar")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d scripts, %v", len(files), err)
	}
	for _, f := range files {
		if _, err := Load(f); err != nil {
			t.Error(err)
		}
	}
}

// echo is a server that opens a stream and answers each element by the text it is told.
type echo struct {
	addr   string
	starts int
	ran    []string // words of commands
}

func (e *echo) Addr(string) string     { return e.addr }
func (e *echo) Stop()                  {}
func (e *echo) Command(args ...string) { e.ran = append(e.ran, args...) }
func (e *echo) Kill()                  {}
func (e *echo) Again()                 { e.starts++ }

func newEcho(t *testing.T) *echo {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serveEcho(c)
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return &echo{addr: l.Addr().String()}
}

func serveEcho(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		s, err := r.ReadString('>')
		switch {
		case err != nil:
			return
		case strings.HasPrefix(s, "<?xml"):
		case strings.HasPrefix(s, "<stream:stream"):
			fmt.Fprint(c, "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'><stream:features/>")
		case s == "<bye/>":
			fmt.Fprint(c, "</stream:stream>")
			return
		case s == "</stream:stream>":
			fmt.Fprint(c, s)
			return
		default:
			fmt.Fprint(c, s)
		}
	}
}

func run(t *testing.T, e *echo, steps string) error {
	t.Helper()
	s, err := Parse([]byte("Proves.\n-- script --\n" + steps))
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Password: func(string) string { return "" }, Timeout: 300 * time.Millisecond}
	return Run(t.Context(), s, e, o)
}

func TestRun(t *testing.T) {
	e := newEcho(t)
	err := run(t, e, `
juliet: connect
juliet: open
romeo: connect c2s
romeo: open
juliet> <message id='77'/><presence/><iq/>
juliet<~ <presence/>
juliet< <message id='{id}'/>
romeo> <message id='x{id}'/>
romeo< <message id='x77'/>
romeo: nothing 1ms
romeo: close
juliet: drain
juliet> <a xmlns='urn:xmpp:sm:3' h='1'/><r xmlns='urn:xmpp:sm:3'/><iq/><resumed xmlns='urn:xmpp:sm:3' previd='7' h='{id}'/>
juliet< <iq/>
juliet<~ <r xmlns='urn:xmpp:sm:3'/>
juliet< <resumed xmlns='urn:xmpp:sm:3' previd='{stream}' h='77'/>
juliet> <bye/>
juliet: ended
server: run user list
server: restart
juliet: connect
juliet: cut
`)
	if err != nil {
		t.Error(err)
	}
	if strings.Join(e.ran, " ") != "user list" {
		t.Errorf("ran %q", e.ran)
	}
	if e.starts != 1 {
		t.Errorf("the server was started %d times", e.starts)
	}
}

func TestRunFails(t *testing.T) {
	e := newEcho(t)
	const up = "juliet: connect\njuliet: open\n"
	for steps, why := range map[string]string{
		"juliet> <a/>\n":                              "3: juliet> <a/>\njuliet isn't connected",
		up + "juliet: connect\n":                      "5: juliet: connect\njuliet is connected already",
		up + "juliet: dance\n":                        `unknown verb "dance"`,
		"server: dance\n":                             `unknown verb "dance"`,
		up + "juliet> <a id='{x}'/>\n":                "nothing was captured as {x}",
		up + "juliet> <a/>\njuliet< <b/>\n":           "transcript:",
		up + "juliet< <b/>\n":                         "deadline exceeded",
		up + "juliet<~ <b/><c/>\n":                    "a pattern is one element",
		up + "juliet> <a/>\njuliet: nothing 200ms\n":  "something arrived",
		up + "juliet> <a/><bye/>\njuliet: ended\n":    "before the end arrived",
		up + "juliet: ended\n":                        "didn't close the stream",
		up + "juliet: auth-fails PLAIN x y\n":         "CONDITION",
		up + "juliet: auth-fails PLAIN x y aborted\n": "no SASL failure",
		up + "juliet: nothing soon\n":                 "invalid duration",
	} {
		if err := run(t, e, steps); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: the error lacks %q: %v", steps, why, err)
		}
	}
}

func TestLoadNamesTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bad.txtar")
	if err := os.WriteFile(file, []byte("x\n-- script --\n?\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(file); err == nil || !strings.HasPrefix(err.Error(), file+":3: ") {
		t.Errorf("%v", err)
	}
}

func ExampleParse() {
	s, err := Parse([]byte(`A message reaches the resource it is for.
-- script --
juliet: login balcony
romeo: login orchard
romeo> <message to='juliet@localhost/balcony'><body>Hark!</body></message>
juliet< <message from='romeo@localhost/orchard' ...><body>Hark!</body></message>
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Proves)
	for _, step := range s.Steps[:2] {
		fmt.Println(step.Line, step)
	}
	// Output:
	// A message reaches the resource it is for.
	// 3 juliet: login balcony
	// 4 romeo: login orchard
}
