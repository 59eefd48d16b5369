package admin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"weir/auth"
	"weir/sessionmgr"

	"golang.org/x/net/netutil"
)

// SocketName is the name of the control socket in the data folder.
const SocketName = "weir.sock"

// maxClients is how many may use the control socket at once.
const maxClients = 16

// Status is what a server tells about itself.
type Status struct {
	Version   string            `json:"version"`
	Started   time.Time         `json:"started"`
	PID       int               `json:"pid"`
	Domains   []string          `json:"domains"`
	Data      string            `json:"data"`      // its data folder, as it was given
	Listeners map[string]string `json:"listeners"` // name to address
	Sessions  map[string]int    `json:"sessions"`  // state to number
	Store     string            `json:"store"`     // "ok", or what is wrong
}

// Control serves the control socket.
type Control struct {
	// immutable
	sessions *sessionmgr.Manager
	users    *auth.Service
	status   func() Status
	backup   func(dir string, secrets bool) error
	log      *slog.Logger
	server   *http.Server
	done     chan struct{} // closed by Stop: who watches is told
	ended    sync.Once
	invited  Invitations // set before it starts
	offered  Offers      // set before it starts

	announcer Announcer // set before it starts

	operations Operations // immutable after Start
	watchers   atomic.Int32

	mu       sync.Mutex // guards what is below
	path     string     // of the socket while it is there
	stoppers []net.Conn // of those who wait for the end
}

// New makes a Control; it starts nothing. status tells what only the whole
// server knows; its Sessions are filled in here. backup copies what it keeps,
// with secrets or without.
func New(m *sessionmgr.Manager, a *auth.Service, status func() Status, backup func(dir string, secrets bool) error, log *slog.Logger) *Control {
	c := &Control{sessions: m, users: a, status: status, backup: backup, log: log, done: make(chan struct{})}
	c.server = &http.Server{
		Handler:           c.routes(),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       time.Minute, // an idle client takes the place of another
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	return c
}

// Start listens on the control socket of a data folder. A socket that a dead
// server left behind is replaced; one that answers is an error.
func (c *Control) Start(data string) error {
	path := filepath.Join(data, SocketName)
	short, release, err := socketPath(data)
	if err != nil {
		return err
	}
	defer release()
	if err := clear(path, short); err != nil {
		return err
	}
	l, err := net.Listen("unix", short)
	if err != nil {
		return fmt.Errorf("the control socket %s can't be opened: %w", path, err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // Stop does, by its real name
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return fmt.Errorf("the control socket %s can't be protected: %w", path, err)
	}
	c.mu.Lock()
	c.path = path
	c.mu.Unlock()
	go c.serve(netutil.LimitListener(ownerOnly{l, c.log}, maxClients))
	return nil
}

func (c *Control) serve(l net.Listener) {
	if err := c.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		c.log.Error("the control socket failed", "err", err)
	}
}

// clear removes the socket of a server that is no more. short is another name
// for path that fits into a socket's address.
func clear(path, short string) error {
	fi, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("the control socket can't be opened: %w", err)
	case fi.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is in the way of the control socket: move it elsewhere", path)
	}
	conn, err := net.DialTimeout("unix", short, time.Second)
	if err == nil {
		conn.Close()
		return fmt.Errorf("another server answers on %s: stop it first, or give this one another data folder", path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("%s is in the way of the control socket: %w", path, err)
	}
	return os.Remove(path)
}

// stopGrace is how long requests under way may take once the server stops: the
// rest of its time is the sessions'.
const stopGrace = 2 * time.Second

// Stop ends it, letting requests under way finish for a moment.
func (c *Control) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stopGrace)
	defer cancel()
	c.ended.Do(func() { close(c.done) })
	err := c.server.Shutdown(ctx)
	if err != nil {
		c.log.Warn("a request on the control socket was cut", "err", err)
		err = c.server.Close()
	}
	c.mu.Lock()
	path := c.path
	c.path = ""
	c.mu.Unlock()
	if path != "" {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}
