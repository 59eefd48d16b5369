package admin_test

import (
	"errors"
	"strings"
	"testing"

	"weir/admin"
	"weir/modules/offers"
)

// TestOffers holds what is answered to requests that can't be met, and that what one
// session offers is told of no other.
func TestOffers(t *testing.T) {
	cfg := settings(folder(t))
	cfg.Offers.Enabled, cfg.Offers.Offers, cfg.Offers.Receivers = true, 1, 2
	s, c := start(t, cfg)
	add(t, c, "juliet@localhost", "romeo@localhost")
	login(t, s, "juliet", "balcony")
	login(t, s, "romeo", "orchard")
	rose := offers.File{URL: "https://localhost/rose.jpg"}
	try := func(session string, f offers.File, to ...string) (admin.Offer, error) {
		return c.AddOffer(t.Context(), admin.NewOffer{Session: session, File: f, To: to})
	}
	refused := func(err error, status int, text string) {
		t.Helper()
		var no *admin.Failed
		if !errors.As(err, &no) || no.Status != status || !strings.Contains(no.Text, text) {
			t.Errorf("%v, want %d and %q", err, status, text)
		}
	}
	for _, x := range []struct {
		session string
		file    offers.File
		to      []string
		status  int
		text    string
	}{
		{"nobody@localhost/x", rose, []string{"romeo@localhost"}, 404, "weir session list"},
		{"juliet@localhost/balcony", rose, []string{"@"}, 400, "no address"},
		{"juliet@localhost/balcony", rose, nil, 400, "to nobody"},
		{"juliet@localhost/balcony", offers.File{URL: "rose.jpg"}, []string{"romeo@localhost"}, 400, "no link"},
		{"juliet@localhost/balcony", rose, []string{"a@localhost", "b@localhost", "c@localhost"}, 409, "up to 2"},
		{"juliet@localhost/balcony", offers.File{URL: rose.URL, Description: strings.Repeat("x", 17<<10)}, []string{"romeo@localhost"}, 409, ""},
	} {
		_, err := try(x.session, x.file, x.to...)
		refused(err, x.status, x.text)
	}
	made, err := try("juliet@localhost/balcony", rose, "romeo@localhost", "nurse@localhost")
	if err != nil || made.From != "juliet@localhost/balcony" || len(made.To) != 2 {
		t.Fatalf("%+v, %v", made, err)
	}
	_, err = try(made.Session, rose, "romeo@localhost")
	refused(err, 409, "up to 1")
	for session, want := range map[string]int{"": 1, made.Session: 1, "romeo@localhost/orchard": 0} {
		if all, err := c.Offers(t.Context(), session); err != nil || len(all) != want {
			t.Errorf("%q: %+v, %v", session, all, err)
		}
	}
	_, err = c.Offers(t.Context(), "nobody")
	refused(err, 404, "no session")
	refused(c.CancelOffer(t.Context(), "none"), 404, "weir offer list")
	refused(c.CancelOffer(t.Context(), made.ID, "paris@localhost"), 404, "not to them")
	refused(c.CancelOffer(t.Context(), made.ID, "@"), 400, "no address")
	if err := c.CancelOffer(t.Context(), made.ID); err != nil {
		t.Error(err)
	}

	_, c = start(t, settings(folder(t)))
	_, err = c.Offers(t.Context(), "")
	refused(err, 409, "enabled = true")
	_, err = c.AddOffer(t.Context(), admin.NewOffer{Session: "x", File: rose, To: []string{"romeo@localhost"}})
	refused(err, 409, "enabled = true")
	refused(c.CancelOffer(t.Context(), "x"), 409, "enabled = true")
}
