package admin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"weir/hook"
	"weir/sessionmgr"
)

// ErrNotRunning is returned by [Dial] when no server has the data folder.
var ErrNotRunning = errors.New("no server runs on this data folder")

// Client asks a [Control]. Safe for concurrent use.
type Client struct {
	http  *http.Client
	close func()
}

// Dial makes a client of the server that runs on a data folder. It returns
// ErrNotRunning, wrapped, if there is none.
func Dial(data string) (*Client, error) {
	dial := func(ctx context.Context) (net.Conn, error) {
		path, release, err := socketPath(data)
		if err != nil {
			return nil, err
		}
		defer release()
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
	conn, err := dial(context.Background())
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOTDIR):
		return nil, fmt.Errorf("%w (%s)", ErrNotRunning, data)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("the control socket in %s is not for this user: use the server's user, or root", data)
	case err != nil:
		return nil, fmt.Errorf("the control socket in %s: %w", data, err)
	}
	conn.Close()
	return newClient(dial), nil
}

// Local makes a client of a Control that listens nowhere: for commands that work
// on the data folder while no server runs. Close ends both.
func Local(c *Control) *Client {
	l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	go c.serve(l)
	cl := newClient(l.dial)
	cl.close = func() { _ = c.Stop(context.Background()) }
	return cl
}

func newClient(dial func(context.Context) (net.Conn, error)) *Client {
	return &Client{http: &http.Client{Transport: &http.Transport{
		DialContext:        func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
		DisableCompression: true,
	}}}
}

// Close releases the client's connections.
func (c *Client) Close() {
	c.http.CloseIdleConnections()
	if c.close != nil {
		c.close()
	}
}

// pipeListener is a listener inside the process.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{} // closed by Close
}

func (l *pipeListener) dial(ctx context.Context) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept implements net.Listener.
func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener; http.Server calls it once.
func (l *pipeListener) Close() error { close(l.done); return nil }

// Addr implements net.Listener.
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// statusTime is how long a server may take to say how it is.
const statusTime = 5 * time.Second

var errSilent = fmt.Errorf("nothing came for %v: it hangs, or is held (SIGSTOP)", statusTime)

// Status returns what the server tells about itself. One that hangs is an error:
// whoever asks wants to know.
func (c *Client) Status(ctx context.Context) (Status, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, statusTime, errSilent)
	defer cancel()
	var st Status
	return st, c.call(ctx, http.MethodGet, "/v1/status", nil, &st)
}

// Backup has the server copy what it keeps to a new folder, with the key that tokens
// are made of or without.
func (c *Client) Backup(ctx context.Context, dir string, secrets bool) error {
	return c.call(ctx, http.MethodPost, "/v1/backup", Backup{Dir: dir, Secrets: secrets}, nil)
}

// Hooks lists the hook points with their handlers.
func (c *Client) Hooks(ctx context.Context) ([]hook.Listing, error) {
	var all []hook.Listing
	return all, c.call(ctx, http.MethodGet, "/v1/hooks", nil, &all)
}

// Reload has the server read its configuration again.
func (c *Client) Reload(ctx context.Context) (Reloaded, error) {
	var r Reloaded
	return r, c.call(ctx, http.MethodPost, "/v1/reload", nil, &r)
}

// Stop ends the server and returns when it has ended. With drain, which may be 0,
// sessions have so long to get what they were sent. progress, unless nil, is told
// how far it has come.
func (c *Client) Stop(ctx context.Context, drain time.Duration, progress func(Stopping)) error {
	var q StopRequest
	if drain > 0 {
		q.Drain = drain.String()
	}
	res, err := c.open(ctx, http.MethodPost, "/v1/stop", q)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	for dec := json.NewDecoder(res.Body); ; {
		var s Stopping
		if err := dec.Decode(&s); err != nil {
			return fmt.Errorf("the server ended without a word, perhaps at once by a signal: %w", err)
		}
		if progress != nil {
			progress(s)
		}
		switch {
		case s.Error != "":
			return errors.New(s.Error)
		case s.State == "stopped":
			return nil
		}
	}
}

// Sessions lists sessions, all or those of an account (when not "").
func (c *Client) Sessions(ctx context.Context, account string) ([]sessionmgr.Description, error) {
	return c.SessionsOf(ctx, SessionQuery{Account: account})
}

// SessionsOf lists the sessions that a query means.
func (c *Client) SessionsOf(ctx context.Context, q SessionQuery) ([]sessionmgr.Description, error) {
	var all []sessionmgr.Description
	return all, c.call(ctx, http.MethodGet, q.path("/v1/sessions", nil), nil, &all)
}

// CountSessions counts the sessions that a query means.
func (c *Client) CountSessions(ctx context.Context, q SessionQuery) (int, error) {
	var n Count
	err := c.call(ctx, http.MethodGet, q.path("/v1/sessions/count", nil), nil, &n)
	return n.Count, err
}

// KickAll ends the sessions that a query means, which can't be empty, and returns
// how many; their clients are told text, or a default if it is "".
func (c *Client) KickAll(ctx context.Context, q SessionQuery, text string) (int, error) {
	more := url.Values{}
	if text != "" {
		more.Set("text", text)
	}
	var n Count
	err := c.call(ctx, http.MethodDelete, q.path("/v1/sessions", more), nil, &n)
	return n.Count, err
}

// Session describes one session by its id or full JID.
func (c *Client) Session(ctx context.Context, id string) (sessionmgr.Description, error) {
	var d sessionmgr.Description
	return d, c.call(ctx, http.MethodGet, "/v1/sessions/"+url.PathEscape(id), nil, &d)
}

// Explain tells which way a session went, by its id or full JID; also for one of
// those that ended last.
func (c *Client) Explain(ctx context.Context, id string) (sessionmgr.Story, error) {
	var st sessionmgr.Story
	return st, c.call(ctx, http.MethodGet, "/v1/sessions/"+url.PathEscape(id)+"/explain", nil, &st)
}

// Kick ends a session; its client is told text, or a default if it is "".
func (c *Client) Kick(ctx context.Context, id, text string) (sessionmgr.Description, error) {
	path := "/v1/sessions/" + url.PathEscape(id)
	if text != "" {
		path += "?text=" + url.QueryEscape(text)
	}
	var d sessionmgr.Description
	return d, c.call(ctx, http.MethodDelete, path, nil, &d)
}

// Users lists accounts, all or those of a domain (when not "").
func (c *Client) Users(ctx context.Context, domain string) ([]User, error) {
	path := "/v1/users"
	if domain != "" {
		path += "?domain=" + url.QueryEscape(domain)
	}
	var all []User
	return all, c.call(ctx, http.MethodGet, path, nil, &all)
}

// AddUser makes an account; with password "" the answer has one that was made.
func (c *Client) AddUser(ctx context.Context, jid, password string) (User, error) {
	var u User
	return u, c.call(ctx, http.MethodPost, "/v1/users", Credentials{JID: jid, Password: password}, &u)
}

// SetPassword replaces an account's password; with "" the answer has one that
// was made. It ends the account's sessions.
func (c *Client) SetPassword(ctx context.Context, jid, password string) (User, error) {
	var u User
	return u, c.call(ctx, http.MethodPut, "/v1/users/"+url.PathEscape(jid)+"/password", Credentials{Password: password}, &u)
}

// SetDisabled locks an account, which ends its sessions, or opens it again.
func (c *Client) SetDisabled(ctx context.Context, jid string, disabled bool) (User, error) {
	var u User
	return u, c.call(ctx, http.MethodPut, "/v1/users/"+url.PathEscape(jid)+"/disabled", Disabled{disabled}, &u)
}

// SetRole gives an account a role in place of the one that it has.
func (c *Client) SetRole(ctx context.Context, jid, role string) (User, error) {
	var u User
	return u, c.call(ctx, http.MethodPut, "/v1/users/"+url.PathEscape(jid)+"/role", RoleSetting{role}, &u)
}

// DeleteUser removes an account with everything that is kept for it.
func (c *Client) DeleteUser(ctx context.Context, jid string) error {
	return c.call(ctx, http.MethodDelete, "/v1/users/"+url.PathEscape(jid), nil, nil)
}

// Devices lists the devices that may log in to an account without its password.
func (c *Client) Devices(ctx context.Context, jid string) ([]Device, error) {
	var all []Device
	return all, c.call(ctx, http.MethodGet, "/v1/users/"+url.PathEscape(jid)+"/devices", nil, &all)
}

// RevokeDevice has a device, or all of an account if id is "", need the password
// again, and ends its sessions. It returns which devices those were.
func (c *Client) RevokeDevice(ctx context.Context, jid, id string) ([]Device, error) {
	path := "/v1/users/" + url.PathEscape(jid) + "/devices"
	if id != "" {
		path += "/" + url.PathEscape(id)
	}
	var gone []Device
	return gone, c.call(ctx, http.MethodDelete, path, nil, &gone)
}

// Import makes many accounts: a line of list is an address, a blank and a
// password. progress, unless nil, is called with how many entries are done.
func (c *Client) Import(ctx context.Context, list io.Reader, progress func(entries int)) (Result, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://weir/v1/users/import", list)
	if err != nil {
		return Result{}, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return Result{}, lost(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return Result{}, failure(res)
	}
	for dec := json.NewDecoder(bufio.NewReader(res.Body)); ; {
		var p Progress
		if err := dec.Decode(&p); err != nil {
			return Result{}, fmt.Errorf("the server ended before the import had: %w; "+
				"accounts made so far stay, importing the same list again is safe", err)
		}
		if p.Result != nil {
			return *p.Result, nil
		}
		if progress != nil {
			progress(p.Entries)
		}
	}
}

// Failed is an answer of the server that says no.
type Failed struct {
	Status int // of HTTP
	Text   string
}

// Error is what the server said.
func (f *Failed) Error() string { return f.Text }

// open asks for something; the answer, if it is a success, is to be read and closed.
func (c *Client) open(ctx context.Context, method, path string, in any) (*http.Response, error) {
	var content io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://weir"+path, content)
	if err != nil {
		return nil, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, lost(err)
	}
	if res.StatusCode != http.StatusOK {
		defer res.Body.Close()
		return nil, failure(res)
	}
	return res, nil
}

func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	res, err := c.open(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if out == nil {
		return nil
	}
	return json.NewDecoder(res.Body).Decode(out)
}

// lost is the error of a request that got no answer.
func lost(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return fmt.Errorf("the server didn't answer: %w", err)
}

// failure reads an answer that says no.
func failure(res *http.Response) error {
	b, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil {
		return lost(err)
	}
	var f Failure
	if json.Unmarshal(b, &f) != nil || f.Error == "" {
		f.Error = res.Status + " " + strings.TrimSpace(string(b))
	}
	return &Failed{Status: res.StatusCode, Text: f.Error}
}
