package stanza

import (
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	mjid "mellium.im/xmpp/jid"
	merr "mellium.im/xmpp/stanza"
	"weir/jid"
)

func TestNew(t *testing.T) {
	type query struct {
		XMLName xml.Name `xml:"jabber:iq:version query"`
		Name    string   `xml:"name"`
	}
	for _, c := range []struct {
		kind    Kind
		typ, id string
		payload any
		want    string // "" for an error
	}{
		{Message, "", "", nil, `<message from='juliet@example.com/balcony' to='romeo@example.net/orchard'/>`},
		{Message, "chat", "<1>", []byte("<body>x</body><a xmlns='b'/>"), `<message from='juliet@example.com/balcony'` +
			` to='romeo@example.net/orchard' id='&lt;1&gt;' type='chat'><body>x</body><a xmlns='b'/></message>`},
		{IQ, "result", "1", query{Name: "we & ir"}, `<iq from='juliet@example.com/balcony' to='romeo@example.net/orchard'` +
			` id='1' type='result'><query xmlns="jabber:iq:version"><name>we &amp; ir</name></query></iq>`},
		{Presence, "unavailable", "", []byte(nil), `<presence from='juliet@example.com/balcony'` +
			` to='romeo@example.net/orchard' type='unavailable'/>`},
		{Message, "what", "", nil, ""}, {Presence, "available", "", nil, ""}, {IQ, "", "1", nil, ""},
		{IQ, "get", "1", nil, ""}, {IQ, "result", "", nil, ""}, {0, "", "", nil, ""},
		{Message, "", "", []byte("<body>"), ""}, {Message, "", "", []byte("</message>"), ""}, {Message, "", "", func() {}, ""},
		{IQ, "result", "1", []byte("<a xmlns='b'/></iq><iq type='set'>"), ""},
	} {
		s, err := New(c.kind, c.typ, c.id, juliet, romeo, c.payload)
		if (err != nil) != (c.want == "") || err == nil && text(s) != c.want {
			t.Errorf("New(%v, %q, %q, %v): %v, %v", c.kind, c.typ, c.id, c.payload, s, err)
		}
	}
}

func TestResult(t *testing.T) {
	in := must(t, `<iq id='a"b' type='get' to='romeo@example.net/orchard'><ping xmlns='urn:xmpp:ping'/></iq>`)
	r, err := in.Result(nil)
	if err != nil || text(r) != `<iq from='romeo@example.net/orchard' to='juliet@example.com/balcony' id='a&quot;b' type='result'/>` {
		t.Errorf("answered by %s, %v", text(r), err)
	}
	if _, err := r.Result(nil); err == nil {
		t.Error("a result was answered by a result")
	}
	if _, err := must(t, message).Result(nil); err == nil {
		t.Error("a message was answered by a result")
	}
}

func TestErrorReply(t *testing.T) {
	in := must(t, `<message id='1' to='romeo@example.net/orchard' xml:lang='cs'><body>x</body></message>`)
	e := Error{
		Condition: merr.PolicyViolation, By: mjid.MustParse("example.net/<"),
		Text: map[string]string{"en": "1 < 2\x00", "": "plain", "de": ""},
	}
	want := `<message from='romeo@example.net/orchard' to='juliet@example.com/balcony' id='1' type='error'>` +
		`<error type='modify' by='example.net/&lt;'><policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>` +
		`<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>plain</text>` +
		"<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>1 &lt; 2\uFFFD</text></error></message>"
	r := in.ErrorReply(e)
	if text(r) != want {
		t.Errorf("answered by\n%s\nwant\n%s", text(r), want)
	}
	if r.ErrorReply(e) != nil { // RFC 6120 §8.3.1
		t.Error("an error was answered")
	}
	if must(t, `<iq id='1' type='result'/>`).ErrorReply(e) != nil { // RFC 6120 §8.2.3
		t.Error("a result was answered")
	}
	if !r.HasChild(NSClient, "error") || r.Payload().Local != "error" || !r.IsError() {
		t.Errorf("the children are %v", r.Payload())
	}
	app := in.ErrorReplyWith(UndefinedCondition(), []byte("<too-many xmlns='urn:app'/>"))
	if got := text(app); !strings.HasSuffix(got, `xmpp-stanzas'/><too-many xmlns='urn:app'/></error></message>`) {
		t.Errorf("with a condition of the application: %s", got)
	}
	if got := text(in.ErrorReplyWith(Conflict(), []byte("</error>"))); !strings.HasSuffix(got, `xmpp-stanzas'/></error></message>`) {
		t.Errorf("with a broken condition of the application: %s", got)
	}
}

func TestErrorRoundTrip(t *testing.T) {
	in := must(t, message)
	for _, f := range []func(...string) Error{
		BadRequest, Conflict, FeatureNotImplemented, Forbidden, Gone, InternalServerError, ItemNotFound, JIDMalformed,
		NotAcceptable, NotAllowed, NotAuthorized, PolicyViolation, RecipientUnavailable, Redirect, RegistrationRequired,
		RemoteServerNotFound, RemoteServerTimeout, ResourceConstraint, ServiceUnavailable, SubscriptionRequired,
		UndefinedCondition, UnexpectedRequest,
	} {
		e := f("because")
		if e.Type == "" || f().Text != nil || f().Type != e.Type {
			t.Errorf("%v has type %q", e.Condition, e.Type)
		}
		r, err := Parse(in.ErrorReply(e).AppendTo(nil))
		if err != nil {
			t.Fatal(err)
		}
		got, ok := r.ReadError()
		if !ok || got.Condition != e.Condition || got.Type != e.Type || got.Text["en"] != "because" {
			t.Errorf("%v came back as %v, %v", e, got, ok)
		}
	}
	if _, ok := in.ReadError(); ok {
		t.Error("no error was read as one")
	}
	for _, xml := range []string{`<iq id='1' type='error'/>`, `<message type='error'><error><x xmlns='` + NSErrors + `'/></error></message>`} {
		if e, ok := must(t, xml).ReadError(); !ok || e.Condition != merr.UndefinedCondition {
			t.Errorf("%s: %v, %v", xml, e, ok)
		}
	}
	strange := in.ErrorReply(Error{Condition: "x/><evil", Type: "'"})
	if e, _ := strange.ReadError(); e.Condition != merr.UndefinedCondition || e.Type != merr.Cancel {
		t.Errorf("a strange condition is written as %s", text(strange))
	}
}

func TestAsError(t *testing.T) {
	e := Forbidden("no")
	for _, err := range []error{e, &e, fmt.Errorf("wrapped: %w", e), fmt.Errorf("wrapped: %w", &e)} {
		if got, ok := AsError(err); !ok || got.Condition != e.Condition {
			t.Errorf("%T: %v, %v", err, got, ok)
		}
	}
	for _, err := range []error{nil, errors.New("x"), (*Error)(nil)} {
		if _, ok := AsError(err); ok {
			t.Errorf("%T is taken for a stanza error", err)
		}
	}
	if got := NewError(merr.PolicyViolation, merr.Wait, ""); got.Type != merr.Wait || got.Text != nil {
		t.Errorf("NewError gave %+v", got)
	}
}

func TestDelay(t *testing.T) {
	at := time.Date(2002, 9, 11, 1, 8, 25, 123456789, time.FixedZone("", 2*3600))
	for _, c := range []struct {
		from jid.JID
		text string
		want string
	}{
		{jid.MustParse("capulet.com"), "Offline Storage",
			`<delay xmlns='urn:xmpp:delay' from='capulet.com' stamp='2002-09-10T23:08:25.123Z'>Offline Storage</delay>`},
		{jid.JID{}, "", `<delay xmlns='urn:xmpp:delay' stamp='2002-09-10T23:08:25.123Z'/>`},
		{jid.MustParse("a.example/'"), "<", `<delay xmlns='urn:xmpp:delay' from='a.example/&apos;' stamp='2002-09-10T23:08:25.123Z'>&lt;</delay>`},
	} {
		if got := string(Delay(c.from, at, c.text)); got != c.want {
			t.Errorf("got %s\nwant %s", got, c.want)
		}
		if s := must(t, message).WithChild(Delay(c.from, at, c.text)); !s.HasChild(NSDelay, "delay") {
			t.Errorf("not added: %s", text(s))
		}
	}
}
