package weir_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"weir"
	"weir/admin"
	"weir/config"
	"weir/hook"
	"weir/integration/testclient"
	"weir/jid"
	"weir/sessionmgr"
	"weir/storage"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// life is what happened to modules, in order.
type life struct {
	mu  sync.Mutex
	all []string
}

func (l *life) note(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, what)
}

// part is a module that notes its life.
type part struct {
	name  string
	life  *life
	fails error
	begin func(ctx context.Context)
}

func (p *part) Start(ctx context.Context) error {
	p.life.note("start " + p.name)
	if p.begin != nil {
		p.begin(ctx)
	}
	return p.fails
}

func (p *part) Stop(ctx context.Context) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	p.life.note("stop " + p.name)
	return nil
}

func inMemory(t *testing.T) config.Config {
	cfg := config.Default()
	cfg.Data, cfg.Storage.FS = t.TempDir(), vfs.NewMem()
	cfg.Listen = config.Listen{C2S: "127.0.0.1:0"}
	return cfg
}

// TestModulesOfOthers: they start before the first listener opens, and stop in the
// reverse order after the last session, while the store still works.
func TestModulesOfOthers(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var (
		life   life
		server *weir.Server
		during context.Context
	)
	err := weir.Run(ctx, inMemory(t), nil, func(s *weir.Server) error {
		server = s
		s.Sessions.Hooks.Closed.Add("test", hook.Normal, func(context.Context, sessionmgr.Closing) { life.note("last session") })
		s.Add(&part{name: "a", life: &life, begin: func(ctx context.Context) {
			during = ctx
			if len(s.Addresses()) > 0 {
				t.Error("clients can connect before a has started")
			}
			if _, err := s.Sessions.OpenVirtual(ctx, sessionmgr.VirtualOptions{JID: jid.MustParse("bot@localhost"), Named: true}); err != nil {
				t.Error(err)
			}
		}})
		s.Add(&part{name: "b", life: &life, begin: func(context.Context) { cancel() }})
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if want := []string{"start a", "start b", "last session", "stop b", "stop a"}; !slices.Equal(life.all, want) {
		t.Errorf("%q, want %q", life.all, want)
	}
	if during.Err() == nil {
		t.Error("the context of Start goes on after the end")
	}
	if _, err := storage.NewKeyVal(server.Store, "test").Get(t.Context(), "juliet@localhost"); !errors.Is(err, storage.ErrClosed) {
		t.Errorf("the store after the end: %v", err)
	}
	defer func() {
		if v := recover(); !strings.Contains(fmt.Sprint(v), "*weir_test.part") {
			t.Errorf("a module that comes late: %v", v)
		}
	}()
	server.Add(&part{})
}

// TestRunEndsForAnAdmin: weir stop works on a program that is a server.
func TestRunEndsForAnAdmin(t *testing.T) {
	for _, drain := range []time.Duration{0, time.Minute} {
		cfg, began, ended := inMemory(t), make(chan bool), make(chan error, 1)
		go func() {
			ended <- weir.Run(t.Context(), cfg, nil, func(*weir.Server) error {
				close(began)
				return nil
			})
		}()
		<-began
		var c *admin.Client
		for err := admin.ErrNotRunning; errors.Is(err, admin.ErrNotRunning); {
			c, err = admin.Dial(cfg.Data)
			if err != nil && !errors.Is(err, admin.ErrNotRunning) {
				t.Fatal(err)
			}
		}
		last := ""
		if err := c.Stop(t.Context(), drain, func(s admin.Stopping) { last = s.State }); err != nil || last != "stopped" {
			t.Errorf("%q, %v", last, err)
		}
		c.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// TestModuleSeesRestoredSessions: what is registered between New and Start hears of the
// sessions of the process before, and a module finds them there when it starts.
func TestModuleSeesRestoredSessions(t *testing.T) {
	cfg := inMemory(t)
	first, err := weir.New(t.Context(), cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	juliet := jid.MustParse("juliet@localhost")
	if err := first.Auth.Create(t.Context(), juliet, "correct horse"); err != nil {
		t.Fatal(err)
	}
	if err := first.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	asleep(t, first, "juliet")
	if err := first.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	second, err := weir.New(t.Context(), cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Stop(context.Background())
	var heard []string
	second.Sessions.Hooks.Restored.Add("test", hook.Normal, func(_ context.Context, s *sessionmgr.Session) { heard = append(heard, s.JID().String()) })
	here := 0
	second.Add(&part{life: new(life), begin: func(context.Context) { here = len(second.Sessions.ByAccount(juliet)) }})
	if err := second.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(heard) != 1 || heard[0] != "juliet@localhost/phone" || here != 1 {
		t.Errorf("heard of %v; %d are there as a module starts", heard, here)
	}
}

// asleep has an account have a session that its client may resume.
func asleep(t *testing.T, s *weir.Server, user string) {
	t.Helper()
	c, err := testclient.Dial(t.Context(), testclient.Options{Addr: s.Addresses()[0].Addr, Domain: "localhost", Security: testclient.StartTLS})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Cut()
	if err := c.Login(t.Context(), user, "correct horse", "phone"); err != nil {
		t.Fatal(err)
	}
	if err := c.Send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Expect(t.Context(), "<enabled xmlns='urn:xmpp:sm:3' .../>", nil); err != nil {
		t.Fatal(err)
	}
}

// TestModuleThatFails: the server doesn't start, and those that had started stop.
func TestModuleThatFails(t *testing.T) {
	var life life
	broken := errors.New("no coffee")
	err := weir.Run(t.Context(), inMemory(t), nil, func(s *weir.Server) error {
		for _, p := range []*part{{name: "a"}, {name: "b", fails: broken}, {name: "c"}} {
			p.life = &life
			s.Add(p)
		}
		return nil
	})
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "module *weir_test.part") {
		t.Errorf("the error is %v", err)
	}
	if want := []string{"start a", "start b", "stop a"}; !slices.Equal(life.all, want) {
		t.Errorf("%q, want %q", life.all, want)
	}
}

// TestRunRefuses: what keeps it from starting is the error, and nothing stays open.
func TestRunRefuses(t *testing.T) {
	cfg := inMemory(t)
	broken := errors.New("no tea")
	if err := weir.Run(t.Context(), cfg, nil, func(*weir.Server) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("setup fails: %v", err)
	}
	cfg.Listen.C2S = "127.0.0.1:nowhere"
	var listen *weir.ListenError
	if err := weir.Run(t.Context(), cfg, nil, nil); !errors.As(err, &listen) {
		t.Errorf("an address that can't be had: %v", err)
	}
	cfg.Listen.C2S = "127.0.0.1:0"
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := weir.Run(ended, cfg, nil, nil); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
}
