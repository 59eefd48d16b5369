package weir

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"weir/config"
)

// Run makes a server, lets setup add to it, serves until ctx ends or an admin stops it
// (weir stop, unless setup has set OnStop), and stops it within cfg.ShutdownTimeout: what
// a program does that is a server and nothing else. setup registers handlers and adds
// modules; it and log may be nil.
//
// It returns what kept the server from starting, or what went wrong while it
// stopped. Clients that are slow to go are cut, which is no error.
func Run(ctx context.Context, cfg config.Config, log *slog.Logger, setup func(*Server) error) error {
	s, err := New(ctx, cfg, log)
	if err != nil {
		return err
	}
	if setup != nil {
		err = setup(s)
	}
	asked := make(chan time.Duration, 1)
	if s.OnStop == nil {
		s.OnStop = func(drain time.Duration) {
			select {
			case asked <- drain:
			default: // it stops already
			}
		}
	}
	if err == nil {
		err = s.Start(ctx)
	}
	if err == nil {
		s.untilAsked(ctx, asked)
	}
	return errors.Join(err, s.StopWithin(cfg.ShutdownTimeout))
}

// untilAsked returns when ctx ends or an admin has asked for the end, with as long as
// was asked for sessions to get what they were sent.
func (s *Server) untilAsked(ctx context.Context, asked <-chan time.Duration) {
	select {
	case <-ctx.Done():
	case drain := <-asked:
		if drain > 0 {
			bounded, cancel := context.WithTimeout(ctx, drain)
			defer cancel()
			s.Drain(bounded)
		}
	}
}

// Module is a part of a server that another program adds, beside those in
// modules.go. Its constructor has registered what it handles; whatever else it
// does, it does between these two.
type Module interface {
	// Start begins work of the module's own, before the first client can connect: it
	// opens virtual sessions, starts goroutines. ctx ends when the server has
	// stopped its sessions. An error keeps the server from starting.
	Start(ctx context.Context) error
	// Stop ends it, after the last session and before the store is closed. ctx
	// says until when.
	Stop(ctx context.Context) error
}

// Add has a module start and stop with the server: modules start in the order in
// which they were added, and stop in the reverse one. One that only registers
// handlers needs no Add. It is called between New and Start; later is a wiring
// mistake and panics.
func (s *Server) Add(m Module) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel != nil || s.stopped {
		panic(fmt.Sprintf("weir: module %T was added after the start", m))
	}
	s.added = append(s.added, m)
}

// startAdded starts what was added; what has started is stopped by stopAdded.
func (s *Server) startAdded(ctx context.Context) error {
	s.mu.Lock()
	added := s.added
	s.mu.Unlock()
	for i, m := range added {
		if err := m.Start(ctx); err != nil {
			return fmt.Errorf("module %T: %w", m, err)
		}
		s.mu.Lock()
		s.running = i + 1
		s.mu.Unlock()
	}
	return nil
}

func (s *Server) stopAdded(ctx context.Context) error {
	s.mu.Lock()
	running := s.added[:s.running]
	s.running = 0
	s.mu.Unlock()
	var errs []error
	for i := range running {
		m := running[len(running)-1-i]
		if err := m.Stop(ctx); err != nil {
			errs = append(errs, fmt.Errorf("module %T: %w", m, err))
		}
	}
	return errors.Join(errs...)
}
