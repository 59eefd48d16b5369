package testclient

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

const nsSASL2 = "urn:xmpp:sasl:2"

// SASL2 sends <authenticate/> (XEP-0388) with a mechanism's initial response and
// what inside has, complete elements, and goes on until the exchange is over. Its
// outcome, success or failure, is the next that Expect returns. With the mechanisms
// HT-SHA-256-EXPR and HT-SHA-256-NONE the secret is a token (XEP-0484).
func (c *Client) SASL2(ctx context.Context, mechanism, user, secret, inside string) error {
	var msg string
	next := func(string) (string, error) { return "", c.fail("a challenge is not expected") }
	switch {
	case mechanism == "PLAIN":
		msg = "\x00" + user + "\x00" + secret
	case strings.HasPrefix(mechanism, "HT-"):
		hash, err := c.TokenHash(mechanism, secret, "Initiator")
		if err != nil {
			return err
		}
		msg = user + "\x00" + hash
	default:
		conv, err := c.scram(mechanism, user, secret)
		if err != nil {
			return err
		}
		if msg, err = conv.Step(""); err != nil {
			return c.fail("SCRAM: %w", err)
		}
		next = conv.Step
	}
	err := c.Send("<authenticate xmlns='" + nsSASL2 + "' mechanism='" + mechanism + "'><initial-response>" +
		base64.StdEncoding.EncodeToString([]byte(msg)) + "</initial-response>" + inside + "</authenticate>")
	for err == nil {
		var e *Element
		if e, err = c.take(ctx, first); err != nil {
			return c.fail("waiting for SASL: %w", err)
		}
		if e.Name.Space != nsSASL2 || e.Name.Local != "challenge" {
			c.outcome(e)
			return nil
		}
		var raw []byte
		if raw, err = base64.StdEncoding.DecodeString(strings.TrimSpace(e.Text)); err != nil {
			return c.fail("base64 in %s: %w", e, err)
		}
		if msg, err = next(string(raw)); err != nil {
			return c.fail("SCRAM: %w", err)
		}
		err = c.Send("<response xmlns='" + nsSASL2 + "'>" + base64.StdEncoding.EncodeToString([]byte(msg)) + "</response>")
	}
	return err
}

// outcome puts back the element that ended an exchange, and notes what it says of
// the session.
func (c *Client) outcome(e *Element) {
	if id := e.Child(nsSASL2, "authorization-identifier"); id != nil && strings.Contains(id.Text, "/") {
		c.jid, c.session = strings.TrimSpace(id.Text), true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.in = append([]*Element{e}, c.in...)
}

// TokenHash is what a side ("Initiator" for the client, "Responder" for the server)
// sends to prove that it has a token.
func (c *Client) TokenHash(mechanism, token, side string) (string, error) {
	m := hmac.New(sha256.New, []byte(token))
	m.Write([]byte(side))
	switch {
	case strings.HasSuffix(mechanism, "-NONE"):
	case strings.HasSuffix(mechanism, "-EXPR"):
		cs, ok := c.TLS()
		if !ok {
			return "", c.fail("%s needs TLS", mechanism)
		}
		data, err := cs.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
		if err != nil {
			return "", c.fail("channel binding: %w", err)
		}
		m.Write(data)
	default:
		return "", c.fail("no mechanism %s here", mechanism)
	}
	return string(m.Sum(nil)), nil
}
