package script

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/integration/testclient"
)

// Server is what a script runs against.
type Server interface {
	Addr(listener string) string // host:port of c2s, c2s-tls or c2s-insecure
	Stop()
	Kill()
	Again() // starts it again after Stop or Kill
	// Command runs a command of the server's binary on its data, and fails the
	// test where that fails.
	Command(args ...string)
}

// Options are the settings of a run.
type Options struct {
	Domain   string                      // default localhost
	Password func(account string) string // of each account
	Timeout  time.Duration               // of each step, default 30 s
}

// RunScripts runs every script of a folder as a subtest, each against a server
// of its own that start makes with the configuration that the script has.
func RunScripts(t *testing.T, dir string, o Options, start func(tb testing.TB, config string) Server) {
	files, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("script: no scripts in %s (%v)", dir, err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txtar"), func(t *testing.T) {
			t.Parallel()
			s, err := Load(f)
			if err != nil {
				t.Fatal(err)
			}
			if err := Run(t.Context(), s, start(t, s.Config), o); err != nil {
				t.Fatalf("%s:%v\nthe script proves: %s", f, err, s.Proves)
			}
		})
	}
}

type runner struct {
	o      Options
	server Server
	actors map[string]*testclient.Client
	vars   testclient.Vars
}

// Run runs one script. An error begins with the line of the step that failed
// and ends with the transcript of its actor.
func Run(ctx context.Context, s *Script, server Server, o Options) error {
	if o.Domain == "" {
		o.Domain = "localhost"
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	r := &runner{o: o, server: server, actors: map[string]*testclient.Client{}, vars: testclient.Vars{}}
	defer func() {
		for _, c := range r.actors {
			_ = c.Cut() // the script is over; what it wanted to see is seen
		}
	}()
	for _, step := range s.Steps {
		if err := r.step(ctx, step); err != nil {
			return fmt.Errorf("%d: %s\n%w", step.Line, step, err)
		}
	}
	return nil
}

func (r *runner) step(ctx context.Context, s Step) error {
	ctx, cancel := context.WithTimeout(ctx, r.o.Timeout)
	defer cancel()
	if verb, rest, _ := strings.Cut(s.Arg, " "); s.Kind == Command && verb == "sasl2" {
		return r.sasl2(ctx, s.Actor, rest)
	}
	if s.Kind == Command {
		return r.command(ctx, s.Actor, strings.Fields(s.Arg))
	}
	c, err := r.actor(s.Actor)
	if err != nil {
		return err
	}
	switch s.Kind {
	case Send:
		xml, err := r.vars.Expand(strings.ReplaceAll(s.Arg, "{newline}", "\n"))
		if err != nil {
			return err
		}
		return c.Send(xml)
	case Next:
		_, err = c.Expect(ctx, s.Arg, r.vars)
	default:
		_, err = c.ExpectStanza(ctx, s.Arg, r.vars)
	}
	return err
}

func (r *runner) actor(name string) (*testclient.Client, error) {
	c := r.actors[name]
	if c == nil {
		return nil, fmt.Errorf("%s isn't connected", name)
	}
	return c, nil
}

func (r *runner) command(ctx context.Context, actor string, words []string) error {
	if len(words) == 0 {
		return errors.New("no verb")
	}
	verb, args := words[0], words[1:]
	if actor == "server" {
		return r.control(verb, args)
	}
	switch verb {
	case "connect":
		return r.connect(ctx, actor, append(args, "c2s-insecure")[0])
	case "login":
		return r.login(ctx, actor, args, (*testclient.Client).Login)
	case "authenticate":
		return r.login(ctx, actor, args, func(c *testclient.Client, ctx context.Context, user, password, _ string) error {
			return c.Authenticate(ctx, user, password)
		})
	}
	c, err := r.actor(actor)
	if err != nil {
		return err
	}
	switch verb {
	case "open":
		return c.Open(ctx)
	case "starttls":
		return c.StartTLS(ctx)
	case "auth":
		return r.auth(ctx, c, actor, args)
	case "auth-fails":
		return authFails(ctx, c, args)
	case "bind":
		_, err := c.Bind(ctx, append(args, "")[0])
		return err
	case "sync":
		return c.Sync(ctx)
	case "nothing":
		return r.nothing(ctx, c, args)
	case "drain":
		err := r.syncAll(ctx)
		c.Drain()
		return err
	}
	return r.end(ctx, actor, c, verb)
}

// end has the verbs that end a connection.
func (r *runner) end(ctx context.Context, actor string, c *testclient.Client, verb string) error {
	delete(r.actors, actor)
	switch verb {
	case "close":
		_, err := c.Close(ctx)
		return err
	case "ended":
		rest, err := c.WaitEnd(ctx)
		if rest = slices.DeleteFunc(rest, testclient.IsAck); err == nil && len(rest) > 0 {
			err = fmt.Errorf("before the end arrived %v\n%s", rest, c.Transcript())
		}
		return errors.Join(err, c.Cut())
	case "gone":
		return errors.Join(c.WaitGone(ctx), c.Cut())
	case "cut":
		return c.Cut()
	}
	return fmt.Errorf("unknown verb %q", verb)
}

func (r *runner) control(verb string, args []string) error {
	switch verb {
	case "run":
		r.server.Command(args...)
		return nil
	case "stop": // the actors see their ends
		r.server.Stop()
		return nil
	case "start":
		r.server.Again()
		return nil
	case "restart":
		r.server.Stop()
	case "kill":
		r.server.Kill()
	default:
		return fmt.Errorf("unknown verb %q", verb)
	}
	for name, c := range r.actors {
		_ = c.Cut() // gone already
		delete(r.actors, name)
	}
	r.server.Again()
	return nil
}

func (r *runner) connect(ctx context.Context, actor, listener string) error {
	if r.actors[actor] != nil {
		return fmt.Errorf("%s is connected already", actor)
	}
	addr := r.server.Addr(listener)
	if addr == "" {
		return fmt.Errorf("no listener %s", listener)
	}
	o := testclient.Options{Addr: addr, Domain: r.o.Domain, Timeout: r.o.Timeout}
	switch listener {
	case "c2s":
		o.Security = testclient.StartTLS
	case "c2s-tls":
		o.Security = testclient.DirectTLS
	}
	c, err := testclient.Dial(ctx, o)
	if err != nil {
		return err
	}
	r.actors[actor] = c
	return nil
}

// loggingIn is testclient.Client.Login, or a part of it.
type loggingIn func(c *testclient.Client, ctx context.Context, user, password, resource string) error

func (r *runner) login(ctx context.Context, actor string, args []string, how loggingIn) error {
	user, listener, resource := actor, "c2s-insecure", ""
	for len(args) > 0 {
		switch {
		case args[0] == "as" && len(args) > 1:
			user, args = args[1], args[2:]
		case args[0] == "via" && len(args) > 1:
			listener, args = args[1], args[2:]
		default:
			resource, args = args[0], args[1:]
		}
	}
	if err := r.connect(ctx, actor, listener); err != nil {
		return err
	}
	return how(r.actors[actor], ctx, user, r.o.Password(user), resource)
}

func (r *runner) auth(ctx context.Context, c *testclient.Client, actor string, args []string) error {
	user := actor
	if len(args) > 1 {
		user = args[1]
	}
	password := r.o.Password(user)
	if len(args) > 2 {
		password = args[2]
	}
	if len(args) == 0 {
		return errors.New("auth MECHANISM [USER [PASSWORD]]")
	}
	return c.Auth(ctx, args[0], user, password)
}

// sasl2 begins a login and goes on up to its outcome, which is left to be looked at.
func (r *runner) sasl2(ctx context.Context, actor, line string) error {
	c, err := r.actor(actor)
	if err != nil {
		return err
	}
	if line, err = r.vars.Expand(line); err != nil {
		return err
	}
	words := strings.SplitN(strings.TrimSpace(line), " ", 4)
	if len(words) < 3 {
		return errors.New("sasl2 MECHANISM USER SECRET XML")
	}
	return c.SASL2(ctx, words[0], words[1], words[2], strings.Join(words[3:], ""))
}

func authFails(ctx context.Context, c *testclient.Client, args []string) error {
	if len(args) != 4 {
		return errors.New("auth-fails MECHANISM USER PASSWORD CONDITION")
	}
	err := c.Auth(ctx, args[0], args[1], args[2])
	var f *testclient.AuthError
	switch {
	case !errors.As(err, &f):
		return fmt.Errorf("no SASL failure but: %v\n%s", err, c.Transcript())
	case f.Condition != args[3]:
		return fmt.Errorf("the condition is %s\n%s", f.Condition, c.Transcript())
	}
	return nil
}

// syncAll syncs every actor with a session, twice: what the first round caused
// for others has arrived after the second.
func (r *runner) syncAll(ctx context.Context) error {
	for range 2 {
		for _, c := range r.actors {
			if !c.HasSession() {
				continue
			}
			if err := c.Sync(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *runner) nothing(ctx context.Context, c *testclient.Client, args []string) error {
	if len(args) > 0 {
		d, err := time.ParseDuration(args[0])
		if err != nil {
			return err
		}
		return c.Quiet(ctx, d)
	}
	if err := r.syncAll(ctx); err != nil {
		return err
	}
	if in := slices.DeleteFunc(c.Drain(), testclient.IsAck); len(in) > 0 {
		return fmt.Errorf("arrived: %v\n%s", in, c.Transcript())
	}
	return nil
}
