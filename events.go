package weir

import (
	"context"
	"errors"

	"weir/modules/events"
	"weir/modules/events/sessionlog"
	"weir/modules/events/webhook"
)

// eventSinks are what takes events away, nil where it isn't configured.
type eventSinks struct {
	log  *sessionlog.Log
	hook *webhook.Hook
}

// makeEvents makes what is configured to take events, and listens for it. Where
// nothing is, nobody listens.
func (s *Server) makeEvents(ctx context.Context) (err error) {
	var sinks events.Sinks
	if o := s.Config.SessionLog; o.File != "" {
		o.Log, o.Metrics = s.Log, s.Registry
		if s.events.log, err = sessionlog.New(o); err != nil {
			return err
		}
		sinks = append(sinks, s.events.log)
	}
	if o := s.Config.Webhook; len(o.Targets) > 0 {
		o.Server, o.Store, o.Log, o.Metrics = s.Config.Domains[0], s.Store, s.Log, s.Registry
		if s.events.hook, err = webhook.New(ctx, o); err != nil {
			return err
		}
		sinks = append(sinks, s.events.hook)
	}
	if len(sinks) > 0 {
		events.Follow(sinks, s.Sessions, s.Auth)
		events.FollowLogins(sinks, s.Streams)
	}
	return nil
}

func (e *eventSinks) start() error {
	if e.log != nil {
		if err := e.log.Start(); err != nil {
			return err
		}
	}
	if e.hook != nil {
		e.hook.Start()
	}
	return nil
}

func (e *eventSinks) reload() error {
	var errs []error
	if e.log != nil {
		errs = append(errs, e.log.Reopen())
	}
	if e.hook != nil {
		errs = append(errs, e.hook.Reload())
	}
	return errors.Join(errs...)
}

// stop is called when no session is left: what was told at their end is written too.
func (e *eventSinks) stop(ctx context.Context) (err error) {
	if e.log != nil {
		err = e.log.Stop(ctx)
	}
	if e.hook != nil {
		e.hook.Stop(ctx)
	}
	return err
}
