package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"weir/integration/testclient"
	"weir/integration/torture/history"
)

const (
	nsSASL2 = "urn:xmpp:sasl:2"
	nsBind2 = "urn:xmpp:bind:0"
	nsFast  = "urn:xmpp:fast:0"
)

// instant reports whether the client asks for everything together with its login
// (XEP-0388), where that is offered: half of those that keep to one resource do.
func (c *client) instant(s *stream) bool {
	return c.id%2 == 0 && !c.wanders() && s.features.Child(nsSASL2, "authentication") != nil
}

// enterAtOnce logs in, by a token if it has one, and has its session resumed or a
// new one bound with stream management, all in one request.
func (c *client) enterAtOnce(s *stream) error {
	ask := fmt.Sprintf("<user-agent id='d4565fa7-4d72-4749-b3d3-%06d%06d'/>", c.id, c.device)
	resume := c.session != nil && !c.forget
	if resume {
		c.note(history.Event{Kind: history.Asked, N: c.session.in})
		c.session.told = c.session.in
		ask += fmt.Sprintf("<resume xmlns='%s' h='%d' previd='%s'/>", nsSM, c.session.in, c.session.id)
	} else {
		c.begins()
	}
	ask += "<bind xmlns='" + nsBind2 + "'><tag>torture</tag><enable xmlns='" + nsSM + "' resume='true'/>"
	if c.device > 0 {
		ask += "<enable xmlns='" + nsCarbons + "'/>"
	}
	ask += "</bind>"
	success, err := c.sasl2(s, ask)
	if err != nil {
		return err
	}
	if t := success.Child(nsFast, "token"); t != nil {
		c.token = t.Get("token")
	}
	if resumed := success.Child(nsSM, "resumed"); resumed != nil {
		h, ok := number(resumed, "h")
		if !ok || !resume || resumed.Get("previd") != c.session.id {
			c.wrong("resumed what wasn't asked for: " + success.String())
			return errors.New("no session")
		}
		c.note(history.Event{Kind: history.Resumed, N: h})
		c.acknowledge(h)
		c.asked = time.Time{}
		if err := c.resend(s); err != nil {
			return err
		}
		return s.deliver(ackPatience + c.pause)
	}
	if resume {
		if err := c.notResumed(success); err != nil {
			return err
		}
		c.begins()
	}
	if err := c.boundAtOnce(s, success); err != nil {
		return err
	}
	return s.deliver(ackPatience + c.pause)
}

// begins notes that a new session is asked for.
func (c *client) begins() {
	c.leftovers()
	c.sessions++
	c.note(history.Event{Kind: history.Bound})
}

// notResumed notes why the session wasn't resumed.
func (c *client) notResumed(success *testclient.Element) error {
	failed := success.Child(nsSM, "failed")
	if failed == nil {
		c.wrong("neither resumed nor failed: " + success.String())
		return errors.New("no session")
	}
	h, hasH := number(failed, "h")
	ev := history.Event{Kind: history.Failed, N: h, Note: conditionOf(failed)}
	if hasH {
		ev.Flags = history.HasH
		c.acknowledge(h)
	}
	c.note(ev)
	if ev.Note == "resource-constraint" {
		return errFull
	}
	return nil
}

// boundAtOnce takes the new session that came with the success.
func (c *client) boundAtOnce(s *stream, success *testclient.Element) error {
	bound := success.Child(nsBind2, "bound")
	if bound == nil {
		return errFull // nothing could be bound
	}
	if bound.Child(nsSM, "failed") != nil {
		return errFull
	}
	jid := strings.TrimSpace(success.Child(nsSASL2, "authorization-identifier").Text)
	enabled := bound.Child(nsSM, "enabled")
	if !strings.HasPrefix(jid, account(c.id)+"@"+domain+"/torture/") || enabled == nil || enabled.Get("id") == "" {
		c.wrong("bound as " + success.String())
		return errors.New("no session that can be resumed")
	}
	if f, err := s.next(); err != nil {
		return err
	} else if f.Name.Local != "features" {
		return c.unexpected(f, "features")
	}
	c.resource = strings.TrimPrefix(jid, account(c.id)+"@"+domain+"/")
	c.note(history.Event{Kind: history.Enabled})
	c.session, c.forget, c.asked = &session{id: enabled.Get("id")}, false, time.Time{}
	c.address.Store(&jid)
	if c.device > 0 {
		c.note(history.Event{Kind: history.Copying})
	}
	if err := c.show(s); err != nil {
		return err
	}
	return c.adopt(s)
}

// sasl2 logs in and returns the success. Over TLS it does so by a token, once it
// has one; a token that is refused is a finding.
func (c *client) sasl2(s *stream, inside string) (*testclient.Element, error) {
	mechanism, msg := "SCRAM-SHA-256", ""
	conv := c.scram.NewConversation()
	if c.secure && c.token != "" {
		m := hmac.New(sha256.New, []byte(c.token))
		m.Write([]byte("Initiator"))
		mechanism, msg = "HT-SHA-256-NONE", account(c.id)+"\x00"+string(m.Sum(nil))
		inside += "<fast xmlns='" + nsFast + "'/>"
	} else {
		var err error
		if msg, err = conv.Step(""); err != nil {
			return nil, err
		}
		inside += "<request-token xmlns='" + nsFast + "' mechanism='HT-SHA-256-NONE'/>"
	}
	out := "<authenticate xmlns='" + nsSASL2 + "' mechanism='" + mechanism + "'><initial-response>" +
		base64.StdEncoding.EncodeToString([]byte(msg)) + "</initial-response>" + inside + "</authenticate>"
	for {
		if err := s.send(out); err != nil {
			return nil, err
		}
		e, err := s.next()
		switch {
		case err != nil:
			return nil, err
		case isStreamError(e):
			return nil, &ended{e}
		case e.Name.Local == "success":
			return e, nil
		case e.Name.Local != "challenge":
			return nil, &refusal{conditionOf(e)}
		}
		data, err := base64.StdEncoding.DecodeString(strings.TrimSpace(e.Text))
		if err != nil {
			return nil, err
		}
		reply, err := conv.Step(string(data))
		if err != nil {
			return nil, err
		}
		out = "<response xmlns='" + nsSASL2 + "'>" + base64.StdEncoding.EncodeToString([]byte(reply)) + "</response>"
	}
}
