package weir_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"weir"
	"weir/admin"
	"weir/auth"
	"weir/config"
	"weir/integration/testclient"
	"weir/jid"
	"weir/sessionmgr"
	"weir/stanza"
)

const testPassword = "correct horse battery"

// embedded is a server in this process, with accounts.
func embedded(t *testing.T, data string) *weir.Server {
	t.Helper()
	cfg := config.Default()
	cfg.Data = data
	cfg.Listen = config.Listen{C2SInsecure: "127.0.0.1:0"}
	cfg.Session.Archive = sessionmgr.ArchiveNever
	s, err := weir.New(t.Context(), cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	for _, name := range []string{"romeo", "juliet"} {
		if err := s.Auth.Create(t.Context(), jid.MustParse(name+"@localhost"), testPassword); err != nil {
			t.Log(err) // it is there since the last start
		}
	}
	return s
}

func stop(t *testing.T, s *weir.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Error(err)
	}
}

func start(t *testing.T, s *weir.Server) {
	t.Helper()
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// player is a client of the server.
type player struct {
	*testclient.Client
	t *testing.T
}

func enter(t *testing.T, s *weir.Server, user, resource string) player {
	t.Helper()
	c, err := testclient.Dial(t.Context(), testclient.Options{Addr: s.Addresses()[0].Addr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Cut() })
	if err := c.Login(t.Context(), user, testPassword, resource); err != nil {
		t.Fatal(err)
	}
	return player{c, t}
}

func (p player) send(xml string) {
	p.t.Helper()
	if err := p.Send(xml); err != nil {
		p.t.Fatal(err)
	}
}

func (p player) expect(pattern string) *testclient.Element {
	p.t.Helper()
	e, err := p.ExpectStanza(p.t.Context(), pattern, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return e
}

// got is what a virtual session was given.
type got chan *stanza.Stanza

func (g got) receive(_ context.Context, _ *sessionmgr.Virtual, st *stanza.Stanza) error {
	g <- st
	return nil
}

// message returns the next message's text, past presence.
func (g got) message(t *testing.T) string {
	t.Helper()
	for {
		select {
		case st := <-g:
			if st.Kind == stanza.Message {
				return string(st.AppendTo(nil))
			}
		case <-time.After(20 * time.Second):
			t.Fatal("no message came")
		}
	}
}

func open(t *testing.T, s *weir.Server, o sessionmgr.VirtualOptions) *sessionmgr.Virtual {
	t.Helper()
	v, err := s.Sessions.OpenVirtual(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestVirtualSessionIsLikeAnyOther: a bot with a name of its own and one of an
// account, met by a client over a socket: subscription, presence, messages, requests,
// copies, listing, kick.
func TestVirtualSessionIsLikeAnyOther(t *testing.T) {
	s := embedded(t, t.TempDir())
	oracle := open(t, s, sessionmgr.VirtualOptions{
		JID: jid.MustParse("oracle@localhost/delphi"), Named: true, Software: "oracle",
		Receive: func(ctx context.Context, v *sessionmgr.Virtual, st *stanza.Stanza) error {
			switch {
			case st.Kind == stanza.Presence && st.Type == "subscribe":
				yes, err := stanza.New(stanza.Presence, "subscribed", "", jid.JID{}, st.From, nil)
				if err != nil {
					return err
				}
				return v.Send(ctx, yes)
			case st.HasBody():
				return v.Say(ctx, st.From, "know thyself, "+st.From.Local())
			}
			return nil
		},
		Answer: func(context.Context, *sessionmgr.Virtual, *stanza.Stanza) (any, error) {
			return []byte("<answer xmlns='urn:oracle'/>"), nil
		},
	})
	copies := make(got, 100)
	open(t, s, sessionmgr.VirtualOptions{JID: jid.MustParse("romeo@localhost/bot"), Silent: true, Carbons: true, Receive: copies.receive})
	start(t, s)

	romeo := enter(t, s, "romeo", "orchard")
	if _, err := romeo.IQ(t.Context(), "get", "", "<query xmlns='jabber:iq:roster'/>"); err != nil {
		t.Fatal(err)
	}
	romeo.send("<presence/>")
	romeo.send("<presence to='oracle@localhost' type='subscribe'/>")
	romeo.expect("<presence from='oracle@localhost' to='romeo@localhost' type='subscribed' .../>")
	romeo.expect("<presence from='oracle@localhost/delphi' to='romeo@localhost'><priority>0</priority></presence>")
	romeo.send("<message to='oracle@localhost' type='chat'><body>who am I?</body></message>")
	romeo.expect("<message from='oracle@localhost/delphi' to='romeo@localhost/orchard' type='chat' ...><body>know thyself, romeo</body></message>")
	romeo.send("<iq to='oracle@localhost/delphi' type='get' id='q1'><question xmlns='urn:oracle'/></iq>")
	romeo.expect("<iq from='oracle@localhost/delphi' to='romeo@localhost/orchard' type='result' id='q1'><answer xmlns='urn:oracle'/></iq>")
	for _, want := range []string{"who am I?", "know thyself"} {
		if m := copies.message(t); !strings.Contains(m, "urn:xmpp:carbons:2") || !strings.Contains(m, want) {
			t.Errorf("the other session got %s, want a copy of %q", m, want)
		}
	}

	c := admin.Local(s.Control)
	defer c.Close()
	if err := s.Auth.Create(t.Context(), jid.MustParse("oracle@localhost"), testPassword); !errors.Is(err, auth.ErrExists) || !strings.Contains(err.Error(), "a session of the server itself") {
		t.Errorf("an account with a bot's name: %v", err)
	}
	list, err := c.SessionsOf(t.Context(), admin.SessionQuery{Transport: "virtual"})
	if err != nil || len(list) != 2 {
		t.Fatalf("listed: %v, %v", list, err)
	}
	story, err := c.Explain(t.Context(), oracle.Session().ID())
	if err != nil || story.Session.Software != "oracle" || story.Session.In.Messages != 1 {
		t.Errorf("explained: %+v, %v", story, err)
	}
	if _, err := c.Kick(t.Context(), oracle.Session().ID(), "enough"); err != nil {
		t.Error(err)
	}
	romeo.expect("<presence from='oracle@localhost/delphi' type='unavailable' .../>")
}

// TestVirtualSessionGetsWhatItMissed: a bot that acknowledges is given, by the next
// process, what it had not handled in this one and what came while it wasn't there.
func TestVirtualSessionGetsWhatItMissed(t *testing.T) {
	data := t.TempDir()
	s := embedded(t, data)
	first := make(got)
	bot := sessionmgr.VirtualOptions{JID: jid.MustParse("juliet@localhost/bot"), Acks: true, Receive: func(ctx context.Context, _ *sessionmgr.Virtual, st *stanza.Stanza) error {
		select {
		case first <- st:
		case <-ctx.Done():
		}
		return nil
	}}
	v := open(t, s, bot)
	start(t, s)
	romeo := enter(t, s, "romeo", "orchard")
	for i := range 5 {
		romeo.send(fmt.Sprintf("<message to='juliet@localhost' type='chat'><body>n%d</body></message>", i))
	}
	if m := first.message(t); !strings.Contains(m, "n0") {
		t.Fatalf("first came %s", m)
	}
	v.Close(t.Context())
	romeo.send("<message to='juliet@localhost' type='chat'><body>n5</body></message>")
	if err := romeo.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop(t, s)

	s = embedded(t, data)
	all := make(got, 100)
	bot.Receive = all.receive
	open(t, s, bot)
	next := all.message(t)
	if strings.Contains(next, "n0") { // its call had just returned, or had not
		next = all.message(t)
	}
	for i := 1; ; i++ {
		if !strings.Contains(next, fmt.Sprintf("<body>n%d<", i)) {
			t.Fatalf("instead of n%d came %s", i, next)
		}
		if i == 5 {
			break
		}
		next = all.message(t)
	}
}

// TestDocumentedFates: the fates of a stanza that is followed, in their order.
func TestDocumentedFates(t *testing.T) {
	var real []string
	for f := sessionmgr.Queued; f <= sessionmgr.Dropped; f++ {
		real = append(real, f.String())
	}
	same(t, "fate", names(table(t, "docs/session.md", "fate")), real)
}

// TestUnbindOnARealStream: contacts see it leave, its stream can't be resumed, and its
// client binds and turns stream management on again on the same connection.
func TestUnbindOnARealStream(t *testing.T) {
	s := embedded(t, t.TempDir())
	start(t, s)
	other := enter(t, s, "juliet", "other")
	other.send("<presence/>")
	other.expect("<presence from='juliet@localhost/other' .../>")
	c := enter(t, s, "juliet", "balcony")
	c.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
	enabled, err := c.Expect(t.Context(), "<enabled xmlns='urn:xmpp:sm:3' .../>", nil)
	if err != nil {
		t.Fatal(err)
	}
	c.send("<presence/>")
	other.expect("<presence from='juliet@localhost/balcony' .../>")

	done := make(chan error, 1)
	session := s.Sessions.ByJID(jid.MustParse("juliet@localhost/balcony"))
	if err := s.Sessions.Unbind(session, "a test", func(_ *sessionmgr.Session, err error) { done <- err }); err != nil {
		t.Fatal(err)
	}
	other.expect("<presence from='juliet@localhost/balcony' type='unavailable' .../>")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	c.Drain()
	c.send("<resume xmlns='urn:xmpp:sm:3' previd='" + enabled.Get("id") + "' h='1'/>")
	if _, err := c.Expect(t.Context(), "<failed xmlns='urn:xmpp:sm:3' h='1'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>", nil); err != nil {
		t.Error(err)
	}
	if _, err := c.Bind(t.Context(), "garden"); err != nil {
		t.Fatal(err)
	}
	c.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
	if _, err := c.Expect(t.Context(), "<enabled xmlns='urn:xmpp:sm:3' .../>", nil); err != nil {
		t.Error(err)
	}
	c.send("<presence/>")
	other.expect("<presence from='juliet@localhost/garden' .../>")
	if story, ok := s.Sessions.Explain(session.ID()); !ok || !strings.HasPrefix(story.Session.Cause, "unbound") {
		t.Errorf("explained as %+v", story)
	}
}
