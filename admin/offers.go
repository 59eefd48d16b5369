package admin

import (
	"context"
	"net/http"
	"net/url"

	"weir/jid"
	"weir/modules/offers"
	"weir/sessionmgr"
)

// Offers is what is asked of offered files. *offers.Module has it.
type Offers interface {
	Enabled() bool
	Walk(fn func(s *sessionmgr.Session, list []offers.Offer) bool)
	Find(id string) *sessionmgr.Session
	Add(ctx context.Context, s *sessionmgr.Session, f offers.File, to ...jid.JID) (offers.Offer, error)
	Cancel(ctx context.Context, s *sessionmgr.Session, id string, of ...jid.JID) error
}

// KnowOffers has requests about offered files be answered. Call it before Start.
func (c *Control) KnowOffers(o Offers) { c.offered = o }

// Offer is a file that a session offers, as listings tell it.
type Offer struct {
	offers.Offer
	Session string `json:"session"`           // its id
	From    string `json:"from"`              // its full address
	Problem string `json:"problem,omitempty"` // why some receivers aren't in To
}

// NewOffer is the body of a request that offers a file.
type NewOffer struct {
	Session string      `json:"session"` // that offers: its id or full JID
	File    offers.File `json:"file"`
	To      []string    `json:"to"` // bare or full JIDs
}

// errOffersOff says that requests about offers aren't served.
func errOffersOff() error {
	return problemf(http.StatusConflict, "offers are off: enabled = true in [offers] turns them on")
}

// listOffers answers GET /v1/offers, all or with ?session= those of one.
func (c *Control) listOffers(_ http.ResponseWriter, r *http.Request) (any, error) {
	if err := onlyParameters(r, "session"); err != nil {
		return nil, err
	}
	if !c.offered.Enabled() {
		return nil, errOffersOff()
	}
	var of *sessionmgr.Session
	if id := r.URL.Query().Get("session"); id != "" {
		var err error
		if of, err = c.sessionNamed(id); err != nil {
			return nil, err
		}
	}
	all := []Offer{}
	c.offered.Walk(func(s *sessionmgr.Session, list []offers.Offer) bool {
		if of == nil || of == s {
			for _, o := range list {
				all = append(all, describeOffer(s, o))
			}
		}
		return true
	})
	return all, nil
}

func describeOffer(s *sessionmgr.Session, o offers.Offer) Offer {
	return Offer{Offer: o, Session: s.ID(), From: s.JID().String()}
}

// addOffer answers POST /v1/offers.
func (c *Control) addOffer(_ http.ResponseWriter, r *http.Request) (any, error) {
	var in NewOffer
	if err := body(r, &in); err != nil {
		return nil, err
	}
	if !c.offered.Enabled() {
		return nil, errOffersOff()
	}
	to, err := addressees(in.To)
	if err != nil {
		return nil, err
	}
	s, err := c.sessionNamed(in.Session)
	if err != nil {
		return nil, err
	}
	made, err := c.offered.Add(r.Context(), s, in.File, to...)
	if err != nil && len(made.To) == 0 {
		return nil, err
	}
	out := describeOffer(s, made)
	if err != nil { // some have it
		out.Problem = plain(err)
	}
	c.log.Info("file offered by an admin", "sid", s.ID(), "offer", made.ID, "receivers", len(made.To))
	return out, nil
}

// cancelOffer answers DELETE /v1/offers/{id}, with ?of= for some of its receivers.
func (c *Control) cancelOffer(_ http.ResponseWriter, r *http.Request) (any, error) {
	if err := onlyParameters(r, "of"); err != nil {
		return nil, err
	}
	if !c.offered.Enabled() {
		return nil, errOffersOff()
	}
	of, err := addressees(r.URL.Query()["of"])
	if err != nil {
		return nil, err
	}
	id := r.PathValue("id")
	s := c.offered.Find(id)
	if s == nil {
		return nil, problemf(http.StatusNotFound, "no session has an offer %q: `weir offer list` shows them; they go with their session", id)
	}
	if err := c.offered.Cancel(r.Context(), s, id, of...); err != nil {
		return nil, err
	}
	c.log.Info("offer taken back by an admin", "sid", s.ID(), "offer", id)
	return struct {
		ID string `json:"id"`
	}{id}, nil
}

func addressees(texts []string) (all []jid.JID, err error) {
	for _, text := range texts {
		j, err := jid.Parse(text)
		if err != nil {
			return nil, problemf(http.StatusBadRequest, "%q is no address: %v", text, err)
		}
		all = append(all, j)
	}
	return all, nil
}

// AddOffer has a session offer a file.
func (c *Client) AddOffer(ctx context.Context, in NewOffer) (Offer, error) {
	var made Offer
	return made, c.call(ctx, http.MethodPost, "/v1/offers", in, &made)
}

// Offers lists what sessions offer; all, or with its id or full JID one.
func (c *Client) Offers(ctx context.Context, session string) ([]Offer, error) {
	path := "/v1/offers"
	if session != "" {
		path += "?session=" + url.QueryEscape(session)
	}
	var all []Offer
	return all, c.call(ctx, http.MethodGet, path, nil, &all)
}

// CancelOffer takes an offer back, of some of its receivers or of all if none are
// named.
func (c *Client) CancelOffer(ctx context.Context, id string, of ...string) error {
	path := "/v1/offers/" + url.PathEscape(id)
	if len(of) > 0 {
		path += "?" + url.Values{"of": of}.Encode()
	}
	return c.call(ctx, http.MethodDelete, path, nil, nil)
}
