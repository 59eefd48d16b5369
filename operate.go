package weir

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"weir/admin"
	"weir/config"
	"weir/hook"
)

// declareHooks names all hook points and puts them under the clock.
func (s *Server) declareHooks() {
	s.clock.Slow = func(point, handler string, took time.Duration) {
		s.Log.Warn("handler took too long", "point", point, "handler", handler, "took", took.Round(time.Millisecond))
	}
	s.catalogues = []hook.Catalogue{
		hook.Declare("sessionmgr", &s.Sessions.Hooks, &s.clock),
		hook.Declare("c2s", &s.Streams.Hooks, &s.clock),
		hook.Declare("presence", &s.modules.presence.Hooks, &s.clock),
		hook.Declare("auth", &s.Auth.Hooks, &s.clock),
	}
}

// HookPoints lists all hook points with their handlers.
func (s *Server) HookPoints() []hook.Listing {
	var all []hook.Listing
	for _, c := range s.catalogues {
		all = append(all, c.List()...)
	}
	return all
}

// operations are what the control socket may ask of the server.
func (s *Server) operations() admin.Operations {
	return admin.Operations{Streams: s.Streams, Hooks: s.HookPoints, Reload: s.Reload, Stop: s.OnStop}
}

// changesLive reports whether a setting can change while the server runs. All
// others hold from the next start on.
func changesLive(key string) bool {
	switch key {
	case "session.conflict":
		return false
	case "log.level", "shutdown_timeout":
		return true
	}
	section, _, _ := strings.Cut(key, ".")
	return section == "stream" || section == "session" || section == "policy"
}

// Reload reads the certificates and the configuration again, without touching live
// connections, and has those settings obeyed from now on that can change while the
// server runs. An error says what is wrong; nothing has changed then, but that
// certificates that could be read are in use.
func (s *Server) Reload(context.Context) (admin.Reloaded, error) {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	r := admin.Reloaded{Changed: []string{}, Restart: []string{}}
	if s.Load == nil {
		return r, s.readFiles()
	}
	cfg, err := s.Load()
	if err != nil {
		return r, err
	}
	s.mu.Lock()
	now := s.current
	s.mu.Unlock()
	for _, key := range config.Changed(now, cfg) {
		if changesLive(key) {
			r.Changed = append(r.Changed, key)
		} else {
			r.Restart = append(r.Restart, key)
		}
	}
	if slices.Contains(r.Changed, "log.level") && s.Level == nil {
		r.Changed = slices.DeleteFunc(r.Changed, func(key string) bool { return key == "log.level" })
		r.Restart = append(r.Restart, "log.level")
	}
	r.Changed = append(r.Changed, s.policiesPutBack(cfg, r.Changed)...)
	config.Take(&now, cfg, r.Changed)
	if err := s.obey(now); err != nil {
		return admin.Reloaded{Changed: []string{}, Restart: []string{}}, err
	}
	s.mu.Lock()
	s.current = now
	s.mu.Unlock()
	s.Log.Info("configuration read again", "changed", r.Changed, "restart", r.Restart)
	if err := s.readFiles(); err != nil {
		return r, fmt.Errorf("the configuration is in force, but not all files could be read again: %w", err)
	}
	s.Log.Info("certificates read again")
	return r, nil
}

// policiesPutBack names the settings of policies that are in force otherwise than
// configured, since they were set on the control socket, beside those in changed:
// a reload ends that.
func (s *Server) policiesPutBack(cfg config.Config, changed []string) (keys []string) {
	set, _ := s.Sessions.Policies()
	for key, differs := range map[string]bool{
		"policy.classes": !slices.Equal(set.Options().Classes, cfg.Policy.Classes),
		"policy.rules":   !slices.Equal(set.Options().Rules, cfg.Policy.Rules),
	} {
		if differs && !slices.Contains(changed, key) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// obey has the settings hold that can change. They are valid, or config.Load had
// said so: that the second fails behind the first doesn't happen.
func (s *Server) obey(cfg config.Config) error {
	if err := s.Sessions.SetOptions(cfg.Session); err != nil {
		return err
	}
	if err := s.Streams.SetOptions(cfg.Stream); err != nil {
		return err
	}
	if err := s.SetPolicies(cfg); err != nil {
		return err
	}
	if s.Level == nil {
		return nil
	}
	return s.Level.UnmarshalText([]byte(cfg.Log.Level))
}

// Current is the configuration as it is obeyed, after reloads.
func (s *Server) Current() config.Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// Drain lets sessions get what they were sent before Stop, until ctx ends, and
// tells admins who wait.
func (s *Server) Drain(ctx context.Context) (left int) {
	s.Control.Stopping(admin.Stopping{State: "draining"})
	left = s.Sessions.Drain(ctx)
	s.Control.Stopping(admin.Stopping{State: "stopping", Left: left})
	return left
}

// tellStopped tells admins who wait that the server has ended.
func (s *Server) tellStopped(err error) {
	st := admin.Stopping{State: "stopped"}
	if storeErr := s.Store.Err(); err != nil && storeErr != nil {
		st.Error = err.Error()
	}
	s.Control.Stopping(st)
}
