package offers_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"weir/jid"
	"weir/modules/offers"
	"weir/sessionmgr"
	"weir/sessionmgr/sessiontest"
)

func Example() {
	h := sessiontest.New()
	defer h.Close()
	mod, err := offers.New(h.Manager, offers.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	juliet, romeo := h.Online("juliet@verona.lit/balcony"), h.Online("romeo@verona.lit/orchard")
	offer, err := mod.Add(context.Background(), juliet.Session, offers.File{URL: "https://verona.lit/f/rose.jpg", Name: "rose.jpg"}, romeo.JID().Bare())
	fmt.Println(len(romeo.Got()), err, mod.List(juliet.Session)[0].File.Name)
	err = mod.Cancel(context.Background(), juliet.Session, offer.ID)
	fmt.Println(len(romeo.Got()), err, len(mod.List(juliet.Session)))
	// Output:
	// 1 <nil> rose.jpg
	// 1 <nil> 0
}

type scene struct {
	*sessiontest.House
	*offers.Module
	t                    *testing.T
	juliet, romeo, nurse *sessiontest.Client
}

func newScene(t *testing.T, o offers.Options) *scene {
	t.Helper()
	h := sessiontest.New()
	t.Cleanup(h.Close)
	mod, err := offers.New(h.Manager, o)
	if err != nil {
		t.Fatal(err)
	}
	return &scene{h, mod, t, h.Online("juliet@verona.lit/balcony"), h.Online("romeo@verona.lit/orchard"), h.Online("nurse@verona.lit/kitchen")}
}

var rose = offers.File{URL: "https://verona.lit/f/rose.jpg?a=1&b=2", Name: "<rose>.jpg", Type: "image/jpeg", Size: 3032449, SHA256: make([]byte, 32), Description: "a rose"}

// one is the one message that a client got.
func (s *scene) one(c *sessiontest.Client) string {
	s.t.Helper()
	got := c.Got()
	if len(got) != 1 {
		s.t.Fatalf("%s got %d stanzas: %q", c.JID(), len(got), got)
	}
	return got[0]
}

func (s *scene) none(c *sessiontest.Client) {
	s.t.Helper()
	if got := c.Got(); len(got) > 0 {
		s.t.Errorf("%s got %q", c.JID(), got)
	}
}

// TestOfferAndRetraction: to many, taken back from one and then from the rest.
func TestOfferAndRetraction(t *testing.T) {
	s := newScene(t, offers.Options{})
	romeo, nurse := jid.MustParse("romeo@verona.lit"), jid.MustParse("nurse@verona.lit")
	offer, err := s.Add(t.Context(), s.juliet.Session, rose, romeo, nurse)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*sessiontest.Client{s.romeo, s.nurse} {
		got := s.one(c)
		for _, want := range []string{"from='juliet@verona.lit/balcony'", "id='" + offer.ID + "'", "type='chat'",
			"<body>https://verona.lit/f/rose.jpg?a=1&amp;b=2</body>",
			`<file-sharing xmlns="urn:xmpp:sfs:0" disposition="attachment"><file xmlns="urn:xmpp:file:metadata:0"><media-type>image/jpeg</media-type><name>&lt;rose&gt;.jpg</name><size>3032449</size>`,
			`<hash xmlns="urn:xmpp:hashes:2" algo="sha-256">AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=</hash><desc>a rose</desc></file>`,
			`<sources><url-data xmlns="http://jabber.org/protocol/url-data" target="https://verona.lit/f/rose.jpg?a=1&amp;b=2"></url-data></sources></file-sharing>`,
			`<fallback xmlns="urn:xmpp:fallback:0" for="urn:xmpp:sfs:0"><body></body></fallback>`,
			`<x xmlns="jabber:x:oob"><url>https://verona.lit/f/rose.jpg?a=1&amp;b=2</url><desc>a rose</desc></x>`,
			`<origin-id xmlns="urn:xmpp:sid:0" id="` + offer.ID + `">`} {
			if !strings.Contains(got, want) {
				t.Errorf("%s\nhas no %s", got, want)
			}
		}
	}
	if err := s.Cancel(t.Context(), s.juliet.Session, offer.ID, nurse); err != nil {
		t.Error(err)
	}
	got := s.one(s.nurse)
	for _, want := range []string{`<retract xmlns="urn:xmpp:message-retract:1" id="` + offer.ID + `">`, "<body>/me retracted",
		`<fallback xmlns="urn:xmpp:fallback:0" for="urn:xmpp:message-retract:1">`, `<store xmlns="urn:xmpp:hints">`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s\nhas no %s", got, want)
		}
	}
	if err := s.Cancel(t.Context(), s.juliet.Session, offer.ID, nurse); !errors.Is(err, offers.ErrNoOffer) {
		t.Errorf("cancelled twice: %v", err)
	}
	s.none(s.romeo)
	if list := s.List(s.juliet.Session); len(list) != 1 || len(list[0].To) != 1 || list[0].To[0] != romeo {
		t.Errorf("listed: %+v", list)
	}
	if err := s.Cancel(t.Context(), s.juliet.Session, offer.ID); err != nil {
		t.Error(err)
	}
	s.one(s.romeo)
	s.none(s.nurse)
	if list := s.List(s.juliet.Session); len(list) != 0 {
		t.Errorf("listed: %+v", list)
	}
	s.none(s.juliet)
}

// TestOfferIsAMessageOfItsSession: it is in the archives of both, the sender's other
// session gets a copy, and its client's count is untouched.
func TestOfferIsAMessageOfItsSession(t *testing.T) {
	s := newScene(t, offers.Options{})
	other := s.Online("juliet@verona.lit/chamber")
	if err := s.SetCarbons(t.Context(), other.Session, true); err != nil {
		t.Fatal(err)
	}
	for _, account := range []string{"juliet@verona.lit", "romeo@verona.lit"} {
		if err := s.SetArchivePrefs(t.Context(), jid.MustParse(account), sessionmgr.ArchivePrefs{Default: sessionmgr.ArchiveAlways}); err != nil {
			t.Fatal(err)
		}
	}
	other.Got()
	s.juliet.Got()
	handled := s.juliet.Handled()
	if _, err := s.Add(t.Context(), s.juliet.Session, rose, s.romeo.JID().Bare()); err != nil {
		t.Fatal(err)
	}
	s.one(s.romeo)
	if got := s.one(other); !strings.Contains(got, "urn:xmpp:carbons:2") || !strings.Contains(got, "<sent ") {
		t.Errorf("the other session got %s", got)
	}
	for account, outgoing := range map[string]bool{"juliet@verona.lit": true, "romeo@verona.lit": false} {
		n := 0
		err := s.Archived(t.Context(), jid.MustParse(account), 0, func(a sessionmgr.Archived) bool {
			if n++; a.Outgoing != outgoing {
				t.Errorf("%s: %+v", account, a)
			}
			return true
		})
		if n != 1 || err != nil {
			t.Errorf("%s has %d archived, %v", account, n, err)
		}
	}
	if s.juliet.Handled() != handled {
		t.Errorf("h is %d, was %d", s.juliet.Handled(), handled)
	}
	s.none(s.juliet)
	if _, err := s.Add(t.Context(), s.juliet.Session, rose, jid.MustParse("nobody@verona.lit")); err != nil {
		t.Error(err)
	}
	if got := s.one(s.juliet); !strings.Contains(got, "type='error'") {
		t.Errorf("of nobody she hears %s", got)
	}
}

// TestOffersAreBounded holds what is refused, before anybody is told.
func TestOffersAreBounded(t *testing.T) {
	s := newScene(t, offers.Options{Offers: 2, Receivers: 2})
	romeo, nurse := s.romeo.JID().Bare(), s.nurse.JID().Bare()
	long := rose
	long.Description = strings.Repeat("x", 16<<10)
	for what, c := range map[string]struct {
		file offers.File
		to   []jid.JID
		want error
	}{
		"no link":         {offers.File{}, []jid.JID{romeo}, offers.ErrBadOffer},
		"a script":        {offers.File{URL: "javascript:alert(1)"}, []jid.JID{romeo}, offers.ErrBadOffer},
		"a file of ours":  {offers.File{URL: "file:///etc/passwd"}, []jid.JID{romeo}, offers.ErrBadOffer},
		"control":         {offers.File{URL: "https://verona.lit/\x00"}, []jid.JID{romeo}, offers.ErrBadOffer},
		"negative":        {offers.File{URL: rose.URL, Size: -1}, []jid.JID{romeo}, offers.ErrBadOffer},
		"short hash":      {offers.File{URL: rose.URL, SHA256: []byte("x")}, []jid.JID{romeo}, offers.ErrBadOffer},
		"nobody":          {rose, nil, offers.ErrBadOffer},
		"a server":        {rose, []jid.JID{jid.MustParse("verona.lit")}, offers.ErrBadOffer},
		"twice":           {rose, []jid.JID{romeo, romeo}, offers.ErrBadOffer},
		"three":           {rose, []jid.JID{romeo, nurse, s.juliet.JID().Bare()}, offers.ErrTooMany},
		"too much to say": {long, []jid.JID{romeo}, sessionmgr.ErrAttributeSize},
	} {
		if _, err := s.Add(t.Context(), s.juliet.Session, c.file, c.to...); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
	}
	s.none(s.romeo)
	for i, want := range []error{nil, nil, offers.ErrTooMany} {
		if _, err := s.Add(t.Context(), s.juliet.Session, rose, romeo); !errors.Is(err, want) {
			t.Errorf("offer %d: %v, want %v", i, err, want)
		}
	}
	if err := s.Cancel(t.Context(), s.juliet.Session, "none"); !errors.Is(err, offers.ErrNoOffer) {
		t.Errorf("what there isn't: %v", err)
	}
	if _, err := offers.New(s.Manager, offers.Options{Offers: -1}); err == nil {
		t.Error("bounds may be negative")
	}
	s.Kick(s.juliet.Session, sessionmgr.Cause{Code: sessionmgr.Kicked}, nil)
	if _, err := s.Add(t.Context(), s.juliet.Session, rose, romeo); !errors.Is(err, sessionmgr.ErrGone) {
		t.Errorf("after its end: %v", err)
	}
}
