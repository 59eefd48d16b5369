package testclient

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/xdg-go/scram"
)

// first picks whatever came first.
func first(in []*Element) int {
	if len(in) == 0 {
		return -1
	}
	return 0
}

// Open sends a stream header and waits for the server's and its features
// (RFC 6120 §4.2, §4.3.2).
func (c *Client) Open(ctx context.Context) error {
	return c.OpenWith(ctx, "<?xml version='1.0'?><stream:stream to='"+escape(c.opts.Domain)+
		"' version='1.0' xml:lang='en' xmlns='"+nsClient+"' xmlns:stream='"+nsStreams+"'>")
}

// OpenWith is Open with a header of the caller's.
func (c *Client) OpenWith(ctx context.Context, header string) error {
	if err := c.Send(header); err != nil {
		return err
	}
	h, err := c.take(ctx, first)
	if err != nil {
		return c.fail("waiting for the stream header: %w", err)
	}
	if h.Name.Space != nsStreams || h.Name.Local != "stream" {
		return c.fail("not a stream header: %s", h)
	}
	c.header = h
	f, err := c.take(ctx, first)
	if err != nil {
		return c.fail("waiting for the stream features: %w", err)
	}
	if f.Name.Space != nsStreams || f.Name.Local != "features" {
		return c.fail("not stream features: %s", f)
	}
	c.feats = f
	return nil
}

// StartTLS upgrades the connection (RFC 6120 §5.4). The stream has to be opened anew.
func (c *Client) StartTLS(ctx context.Context) error {
	if err := c.Send("<starttls xmlns='" + nsTLS + "'/>"); err != nil {
		return err
	}
	e, err := c.take(ctx, first)
	if err != nil {
		return c.fail("waiting for <proceed/>: %w", err)
	}
	if e.Name.Space != nsTLS || e.Name.Local != "proceed" {
		return c.fail("not <proceed/>: %s", e)
	}
	if n := c.r.Buffered(); n != 0 {
		return c.fail("%d bytes came behind <proceed/>", n)
	}
	ctx, cancel := c.bound(ctx)
	defer cancel()
	if err := c.handshake(ctx); err != nil {
		return err
	}
	c.r = bufio.NewReader(notedReader{c.conn, c.log, c.opts.BeforeRead})
	c.startReading()
	return nil
}

// AuthError is a SASL failure as the server told it (RFC 6120 §6.5).
type AuthError struct {
	Condition string
	Text      string
}

// Error returns the condition.
func (e *AuthError) Error() string { return "testclient: SASL failure " + e.Condition + " " + e.Text }

// Mechanisms returns the SASL mechanisms that were offered, in the server's order.
func (c *Client) Mechanisms() []string {
	var out []string
	if m := c.feats.Child(nsSASL, "mechanisms"); m != nil {
		for _, e := range m.Children {
			if e.Name.Local == "mechanism" {
				out = append(out, strings.TrimSpace(e.Text))
			}
		}
	}
	return out
}

// Auth logs in with one mechanism: PLAIN, SCRAM-SHA-1, SCRAM-SHA-256 or one of
// the latter with -PLUS (channel binding tls-exporter). A refusal is an
// [*AuthError] and leaves the stream usable. After success the stream has to be
// opened anew.
func (c *Client) Auth(ctx context.Context, mechanism, user, password string) error {
	if mechanism == "PLAIN" {
		return c.authPlain(ctx, user, password)
	}
	conv, err := c.scram(mechanism, user, password)
	if err != nil {
		return err
	}
	msg, err := conv.Step("")
	if err != nil {
		return c.fail("SCRAM: %w", err)
	}
	if err := c.sendSASL("auth mechanism='"+mechanism+"'", "auth", msg); err != nil {
		return err
	}
	for {
		name, data, err := c.nextSASL(ctx)
		if err != nil {
			return err
		}
		reply := ""
		if data != "" || name == "challenge" {
			if reply, err = conv.Step(data); err != nil {
				return c.fail("SCRAM: %w", err)
			}
		}
		if name == "success" {
			if !conv.Valid() {
				return c.fail("SCRAM: success without the server's proof")
			}
			return nil
		}
		if err := c.sendSASL("response", "response", reply); err != nil {
			return err
		}
	}
}

func (c *Client) authPlain(ctx context.Context, user, password string) error {
	if err := c.sendSASL("auth mechanism='PLAIN'", "auth", "\x00"+user+"\x00"+password); err != nil {
		return err
	}
	name, _, err := c.nextSASL(ctx)
	if err == nil && name != "success" {
		return c.fail("PLAIN: a %s instead of success", name)
	}
	return err
}

// scram begins a conversation for a mechanism.
func (c *Client) scram(mechanism, user, password string) (*scram.ClientConversation, error) {
	hashes := map[string]scram.HashGeneratorFcn{"SCRAM-SHA-1": scram.SHA1, "SCRAM-SHA-256": scram.SHA256}
	base, plus := strings.CutSuffix(mechanism, "-PLUS")
	hash, ok := hashes[base]
	if !ok {
		return nil, c.fail("no mechanism %s here", mechanism)
	}
	client, err := hash.NewClientUnprepped(user, password, "")
	if err != nil {
		return nil, c.fail("SCRAM: %w", err)
	}
	if !plus {
		return client.NewConversation(), nil
	}
	cs, ok := c.TLS()
	if !ok {
		return nil, c.fail("%s needs TLS", mechanism)
	}
	cb, err := scram.NewTLSExporterBinding(&cs)
	if err != nil {
		return nil, c.fail("channel binding: %w", err)
	}
	return client.NewConversationWithChannelBinding(cb), nil
}

func (c *Client) sendSASL(start, end, data string) error {
	return c.Send("<" + start + " xmlns='" + nsSASL + "'>" +
		base64.StdEncoding.EncodeToString([]byte(data)) + "</" + end + ">")
}

// nextSASL returns the next challenge or success and its data.
func (c *Client) nextSASL(ctx context.Context) (name, data string, err error) {
	e, err := c.take(ctx, first)
	if err != nil {
		return "", "", c.fail("waiting for SASL: %w", err)
	}
	if e.Name.Space != nsSASL {
		return "", "", c.fail("not SASL: %s", e)
	}
	switch e.Name.Local {
	case "challenge", "success":
		text := strings.TrimSpace(e.Text)
		if text == "=" {
			return e.Name.Local, "", nil
		}
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return "", "", c.fail("base64 in %s: %w", e, err)
		}
		return e.Name.Local, string(raw), nil
	case "failure":
		f := &AuthError{}
		for _, ch := range e.Children {
			if ch.Name.Local == "text" {
				f.Text = ch.Text
			} else {
				f.Condition = ch.Name.Local
			}
		}
		return "", "", f
	}
	return "", "", c.fail("unknown SASL element: %s", e)
}

// Bind asks for a resource, or lets the server make one if it is "", and
// returns the full JID (RFC 6120 §7.6).
func (c *Client) Bind(ctx context.Context, resource string) (string, error) {
	body := ""
	if resource != "" {
		body = "<resource>" + escape(resource) + "</resource>"
	}
	res, err := c.IQ(ctx, "set", "", "<bind xmlns='"+nsBind+"'>"+body+"</bind>")
	if err != nil {
		return "", err
	}
	j := res.Child(nsBind, "bind").Child(nsBind, "jid")
	if j == nil {
		return "", c.fail("no JID in the answer to bind: %s", res)
	}
	c.jid, c.session = strings.TrimSpace(j.Text), true
	return c.jid, nil
}

// Login does all of it: Authenticate, then Bind.
func (c *Client) Login(ctx context.Context, user, password, resource string) error {
	if err := c.Authenticate(ctx, user, password); err != nil {
		return err
	}
	_, err := c.Bind(ctx, resource)
	return err
}

// Authenticate goes as far as a client does that wants to resume: it opens,
// secures if Options say StartTLS, authenticates by the best mechanism it knows
// and opens anew.
func (c *Client) Authenticate(ctx context.Context, user, password string) error {
	if err := c.Open(ctx); err != nil {
		return err
	}
	if c.opts.Security == StartTLS {
		if err := c.StartTLS(ctx); err != nil {
			return err
		}
		if err := c.Open(ctx); err != nil {
			return err
		}
	}
	mech, err := c.best()
	if err != nil {
		return err
	}
	if err := c.Auth(ctx, mech, user, password); err != nil {
		return err
	}
	return c.Open(ctx)
}

// best chooses among what was offered. The -PLUS mechanisms are bound by
// tls-exporter, which TLS 1.2 sessions may not have.
func (c *Client) best() (string, error) {
	offered := map[string]bool{}
	for _, m := range c.Mechanisms() {
		offered[m] = true
	}
	cs, secure := c.TLS()
	for _, m := range []string{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"} {
		if strings.HasSuffix(m, "-PLUS") && !(secure && cs.Version >= tls.VersionTLS13) {
			continue
		}
		if offered[m] {
			return m, nil
		}
	}
	return "", c.fail("no mechanism known among %q", c.Mechanisms())
}

// IQ sends a request and returns its result. An answer of type error is an
// [*IQError]. What else arrives meanwhile stays for the next call.
func (c *Client) IQ(ctx context.Context, kind, to, payload string) (*Element, error) {
	c.ids++
	id := fmt.Sprintf("tc%d", c.ids)
	addr := ""
	if to != "" {
		addr = " to='" + escape(to) + "'"
	}
	if err := c.Send("<iq type='" + kind + "' id='" + id + "'" + addr + ">" + payload + "</iq>"); err != nil {
		return nil, err
	}
	e, err := c.take(ctx, func(in []*Element) int {
		for i, e := range in {
			if e.Name.Local == "iq" && e.Get("id") == id && (e.Get("type") == "result" || e.Get("type") == "error") {
				return i
			}
		}
		return -1
	})
	if err != nil {
		return nil, c.fail("waiting for the answer to iq %s: %w", id, err)
	}
	if e.Get("type") == "error" {
		return nil, &IQError{Answer: e}
	}
	return e, nil
}

// IQError is an answer of type error.
type IQError struct{ Answer *Element }

// Condition returns the defined condition, such as service-unavailable.
func (e *IQError) Condition() string {
	if er := e.Answer.Child("", "error"); er != nil {
		for _, c := range er.Children {
			if c.Name.Local != "text" {
				return c.Name.Local
			}
		}
	}
	return ""
}

// Error returns the answer.
func (e *IQError) Error() string { return "testclient: iq answered by " + e.Answer.String() }
