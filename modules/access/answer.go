package access

import (
	"encoding/xml"
	"errors"
	"time"

	"weir/auth"
	"weir/stanza"
)

// clientList is the payload of the answer to list (XEP-0494 §3.1).
type clientList struct {
	XMLName xml.Name `xml:"urn:xmpp:cam:0 clients"`
	Clients []client `xml:"client"`
}

type client struct {
	Connected  bool        `xml:"connected,attr"`
	ID         string      `xml:"id,attr"`
	Type       string      `xml:"type,attr"`
	First      string      `xml:"first-seen,omitempty"`
	Last       string      `xml:"last-seen,omitempty"`
	Auth       methods     `xml:"auth"`
	Permission permission  `xml:"permission"`
	Agent      *agentTexts `xml:"user-agent"`
}

type methods struct {
	Password *struct{} `xml:"password"`
	Fast     *struct{} `xml:"fast"`
}

type permission struct {
	Status string `xml:"status,attr"`
}

type agentTexts struct {
	Software string `xml:"software,omitempty"`
	Device   string `xml:"device,omitempty"`
}

// describe says of a client what the account is told. Each has logged in once by
// password, since there is no other way to get a token; each may do all that an
// account may do.
func (k *known) describe() client {
	c := client{
		Connected: len(k.sessions) > 0, ID: k.id, Type: "session", First: date(k.first), Last: date(k.last),
		Auth: methods{Password: &struct{}{}}, Permission: permission{Status: "unrestricted"},
	}
	if k.token {
		c.Auth.Fast = &struct{}{}
	}
	if k.software != "" || k.name != "" {
		c.Agent = &agentTexts{k.software, k.name}
	}
	return c
}

// date is a time as XEP-0082 has it; "" for none.
func date(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// asked returns the id of a request to revoke.
func asked(iq *stanza.Stanza) (string, error) {
	var req struct {
		Attrs []xml.Attr `xml:",any,attr"` // an attribute's name alone would fit one of any namespace
	}
	if err := iq.Decode(NS, "revoke", &req); err != nil {
		return "", err
	}
	for _, a := range req.Attrs {
		if a.Name == (xml.Name{Local: "id"}) && a.Value != "" {
			return a.Value, nil
		}
	}
	return "", stanza.BadRequest("the id of a client is missing")
}

// passwordNeeded is the answer for a client that has had the password: only a new
// one keeps it out for good (XEP-0494 §3.2).
func passwordNeeded(iq *stanza.Stanza, token bool) *stanza.Stanza {
	what := "the client is logged out"
	if token {
		what += " and its token is void"
	}
	return iq.ErrorReplyWith(
		stanza.ServiceUnavailable(what+"; only a new password keeps it from logging in with the one that it has had"),
		[]byte("<password-reset-required xmlns='"+NS+"'/>"))
}

func isGone(err error) bool {
	return errors.Is(err, auth.ErrNoDevice) || errors.Is(err, auth.ErrNoAccount)
}
