package examples

import (
	"context"
	"crypto/tls"
	"encoding/xml"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"weir/stanza/dataform"

	"mellium.im/sasl"
	"mellium.im/xmlstream"
	"mellium.im/xmpp"
	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"
)

// message is a message as the client sends and gets it.
type message struct {
	stanza.Message
	Body string `xml:"body"`
}

// client is a real client that is logged in.
type client struct {
	*xmpp.Session
	t        *testing.T
	messages chan message         // with a body, or an error
	presence chan stanza.Presence // of any type
	served   chan struct{}        // closed when the stream has ended
}

// tryLogin logs in and binds a resource of the server's choice.
func tryLogin(t *testing.T, addr, user string) (*client, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { conn.Close() })
	s, err := xmpp.NewClientSession(ctx, jid.MustParse(user+"@localhost"), conn,
		xmpp.StartTLS(&tls.Config{ServerName: "localhost", InsecureSkipVerify: true}),
		xmpp.SASL("", password, sasl.ScramSha256Plus, sasl.ScramSha256), xmpp.BindResource())
	if err != nil {
		conn.Close()
		return nil, err
	}
	c := &client{Session: s, t: t, messages: make(chan message, 100), presence: make(chan stanza.Presence, 100), served: make(chan struct{})}
	go func() {
		defer close(c.served)
		_ = s.Serve(xmpp.HandlerFunc(c.handle)) // the end of the connection, by the test or with the server
	}()
	return c, nil
}

func login(t *testing.T, addr, user string) *client {
	t.Helper()
	c, err := tryLogin(t, addr, user)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *client) handle(r xmlstream.TokenReadEncoder, start *xml.StartElement) error {
	d := xml.NewTokenDecoder(xmlstream.MultiReader(xmlstream.Token(*start), r))
	switch start.Name.Local {
	case "message":
		var m message
		if err := d.Decode(&m); err != nil {
			return err
		}
		if m.Body != "" || m.Type == stanza.ErrorMessage {
			c.messages <- m
		}
	case "presence":
		p, err := stanza.NewPresence(*start)
		if err != nil {
			return err
		}
		c.presence <- p
	}
	return nil
}

// here sends presence: of a type, to an address, "" for everybody.
func (c *client) here(typ stanza.PresenceType, to string) {
	c.t.Helper()
	p := stanza.Presence{Type: typ}
	if to != "" {
		p.To = jid.MustParse(to)
	}
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	if err := c.Send(ctx, p.Wrap(nil)); err != nil {
		c.t.Fatal(err)
	}
}

// say sends a chat message.
func (c *client) say(to, id, text string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	m := message{stanza.Message{To: jid.MustParse(to), Type: stanza.ChatMessage, ID: id}, text}
	if err := c.Encode(ctx, m); err != nil {
		c.t.Fatal(err)
	}
}

// hear returns the next message.
func (c *client) hear() message {
	c.t.Helper()
	select {
	case m := <-c.messages:
		return m
	case <-c.served:
		c.t.Fatal("the stream has ended")
	case <-time.After(patience):
		c.t.Fatal("no message came")
	}
	return message{}
}

// expect waits for a message with a text.
func (c *client) expect(from, text string) message {
	c.t.Helper()
	m := c.hear()
	if m.From.Bare().String() != from || m.Body != text {
		c.t.Errorf("%s says %q, want %q of %s", m.From, m.Body, text, from)
	}
	return m
}

// ask sends a request and decodes the payload of the answer, unless answer is nil.
func (c *client) ask(typ stanza.IQType, to string, payload, answer any) error {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	r, err := c.EncodeIQElement(ctx, payload, stanza.IQ{Type: typ, To: jid.MustParse(to)})
	if err != nil {
		return err
	}
	defer r.Close()
	d := xml.NewTokenDecoder(r)
	tok, err := d.Token()
	if err != nil {
		return err
	}
	start, ok := tok.(xml.StartElement)
	if !ok {
		return fmt.Errorf("the answer begins with %T", tok)
	}
	iq, err := stanza.NewIQ(start)
	if err != nil {
		return err
	}
	if iq.Type == stanza.ErrorIQ {
		var e struct {
			Error stanza.Error `xml:"error"`
		}
		return errors.Join(d.DecodeElement(&e, &start), e.Error)
	}
	if answer == nil {
		return nil
	}
	return d.Decode(answer)
}

// sync returns when everything that the client has sent is handled, and what that
// brought has come.
func (c *client) sync() {
	c.t.Helper()
	if err := c.ask(stanza.GetIQ, "localhost", ping{}, nil); err != nil {
		c.t.Fatal(err)
	}
}

// stays reports whether the server answers the client, and hasn't ended its stream
// instead.
func (c *client) stays() bool {
	answered := make(chan error, 1)
	go func() { answered <- c.ask(stanza.GetIQ, "localhost", ping{}, nil) }()
	select {
	case err := <-answered:
		return err == nil
	case <-c.served:
		return false
	}
}

type ping struct {
	XMLName xml.Name `xml:"urn:xmpp:ping ping"`
}

// roster is a request for the contact list: who has asked for it is told of
// changes of subscriptions.
type roster struct {
	XMLName xml.Name `xml:"jabber:iq:roster query"`
}

// adhoc is a step of a command, either way.
type adhoc struct {
	XMLName xml.Name       `xml:"http://jabber.org/protocol/commands command"`
	Node    string         `xml:"node,attr"`
	Session string         `xml:"sessionid,attr,omitempty"`
	Status  string         `xml:"status,attr,omitempty"`
	Note    string         `xml:"note,omitempty"`
	Form    *dataform.Form `xml:"jabber:x:data x"`
}

// condition is that of a stanza error, or what else an error says.
func condition(err error) string {
	var (
		e  stanza.Error
		at *stanza.Error // as binding has it
	)
	switch {
	case errors.As(err, &e):
		return string(e.Condition)
	case errors.As(err, &at):
		return string(at.Condition)
	}
	return fmt.Sprint(err)
}

// leave closes the stream and waits until the server has.
func (c *client) leave() {
	c.t.Helper()
	if err := c.Close(); err != nil {
		c.t.Error(err)
	}
	select {
	case <-c.served:
	case <-time.After(patience):
		c.t.Error("the server doesn't close the stream")
	}
}
