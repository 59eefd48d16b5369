package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"weir/c2s"
	"weir/hook"
)

// Operations are what only the whole server can do. A nil one can't be asked for.
type Operations struct {
	Streams *c2s.Server // whose stanzas can be watched
	Hooks   func() []hook.Listing
	Reload  func(context.Context) (Reloaded, error)
	// Stop begins to stop the server, after drain at the latest if that isn't 0, and
	// returns at once. Control.Stopping tells who asked how that goes.
	Stop func(drain time.Duration)
}

// Reloaded is what came of reading the configuration again.
type Reloaded struct {
	Changed []string `json:"changed"` // settings that hold now
	Restart []string `json:"restart"` // settings that differ and hold from the next start on
}

// Stopping is how far a stop has come.
type Stopping struct {
	State string `json:"state"`           // "draining", "stopping", "stopped"
	Left  int    `json:"left,omitempty"`  // sessions that had not got everything when draining ended
	Error string `json:"error,omitempty"` // what went wrong
}

// StopRequest is the body of a request to stop.
type StopRequest struct {
	Drain string `json:"drain,omitempty"` // at most so long, as in "30s"
}

// Operate says what the whole server can do; it is for the time before Start.
func (c *Control) Operate(o Operations) { c.operations = o }

// listHooks answers GET /v1/hooks.
func (c *Control) listHooks(_ http.ResponseWriter, r *http.Request) (any, error) {
	if err := onlyParameters(r, "point"); err != nil {
		return nil, err
	}
	if c.operations.Hooks == nil {
		return nil, problemf(http.StatusNotImplemented, "no server runs here")
	}
	all, want := c.operations.Hooks(), r.URL.Query().Get("point")
	if want == "" {
		return all, nil
	}
	for _, l := range all {
		if l.Point == want {
			return []hook.Listing{l}, nil
		}
	}
	return nil, problemf(http.StatusNotFound, "no hook point %q: GET /v1/hooks lists all", want)
}

// reload answers POST /v1/reload.
func (c *Control) reload(_ http.ResponseWriter, r *http.Request) (any, error) {
	if c.operations.Reload == nil {
		return nil, problemf(http.StatusNotImplemented, "no server runs here")
	}
	answer, err := c.operations.Reload(r.Context())
	if err != nil { // a mistake of whoever wrote the file
		return nil, problemf(http.StatusUnprocessableEntity, "%v", err)
	}
	return answer, nil
}

// stop answers POST /v1/stop: lines of JSON, the last when the server has stopped.
// The connection is taken from the HTTP server, which ends before that.
func (c *Control) stop(w http.ResponseWriter, r *http.Request) (any, error) {
	var q StopRequest
	if err := body(r, &q); err != nil {
		return nil, err
	}
	var drain time.Duration
	if q.Drain != "" {
		var err error
		if drain, err = time.ParseDuration(q.Drain); err != nil || drain < 0 {
			return nil, problemf(http.StatusBadRequest, "%q is no length of time such as 30s", q.Drain)
		}
	}
	if c.operations.Stop == nil {
		return nil, problemf(http.StatusNotImplemented, "this server is part of a program that doesn't stop it on request")
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Time{})
	_, err = conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"))
	if err != nil {
		c.log.Debug("control client left", "err", err)
	}
	c.mu.Lock()
	c.stoppers = append(c.stoppers, conn)
	c.mu.Unlock()
	c.operations.Stop(drain)
	return streamed{}, nil
}

// Stopping tells those who asked for a stop how far it has come. "stopped" is the
// last that they hear.
func (c *Control) Stopping(s Stopping) {
	line, _ := json.Marshal(s) // strings and a number
	c.mu.Lock()
	list := c.stoppers
	if s.State == "stopped" {
		c.stoppers = nil
	}
	c.mu.Unlock()
	for _, conn := range list {
		_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
		if _, err := conn.Write(append(line, '\n')); err != nil {
			c.log.Debug("control client left", "err", err)
		}
		if s.State == "stopped" {
			_ = conn.Close()
		}
	}
}
