package c2s

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"slices"
	"strings"

	"weir/auth"
	"weir/jid"
	"weir/sessionmgr"
	"weir/stanza"
	"weir/xmlstream"
)

// sasl2Authenticate begins a login (XEP-0388 §2.3).
func (s *Stream) sasl2Authenticate(tok *xmlstream.Token, _ []byte) {
	v, _ := tok.Attr("mechanism")
	mechanism := string(v)
	l, msg, err := s.readLogin(tok)
	s.neg.login = l
	s.attempt(nsSASL2, mechanism, msg, err)
}

// sasl2Response goes on with a login (XEP-0388 §2.5).
func (s *Stream) sasl2Response(tok *xmlstream.Token, _ []byte) {
	w := tok.Walk()
	w.Next()
	e := readElement(&w)
	msg, err := e.data()
	s.respond(nsSASL2, msg, err)
}

// sasl2Abort ends a login (XEP-0388 §4.5).
func (s *Stream) sasl2Abort(*xmlstream.Token, []byte) { s.abort(nsSASL2) }

// completeLogin does what a client that has proved who it is asked for, and tells
// it with its success (XEP-0388 §2.6.1). It runs off the reader goroutine.
func (s *Stream) completeLogin(ctx context.Context, x *exchange, data []byte) {
	l, sess, account := s.neg.login, s.Session(), x.Identity().Bare()
	if l.agent != (auth.UserAgent{}) {
		sess.SetDevice(sessionmgr.Device{ID: s.srv.auth.DeviceID(account, l.agent.ID), Software: l.agent.Software, Name: l.agent.Device})
	}
	var err error
	if l.given, err = x.Settle(ctx, auth.Wish{Agent: l.agent, Addr: s.conn.RemoteAddr().Addr(), Mechanism: l.request}); err != nil {
		s.failure(x.Mechanism(), asFailure(err))
		return
	}
	l.data = data
	s.hold()
	s.loggedIn(x, account)
	s.scan.SetLimits(s.srv.opts().stanzaLimits())
	s.srv.sm.Authenticated(sess, account)
	if !s.confirm(ctx, x) {
		return
	}
	unbound := l.bind == nil
	for _, a := range l.requests {
		if a.handler.Before != nil {
			a.handler.Before(ctx, &a.InlineRequest)
		}
		if s.State() == Bound || s.closing.Load() {
			return // it resumed a session, and told so (XEP-0198 §9.2), or found reason to end
		}
		unbound = unbound || a.Unbound
	}
	if unbound {
		s.succeed(l, account, nil, -1)
		s.neg.login = nil
		return
	}
	s.bindInline(ctx, l, account)
}

// bindInline binds a resource made for the client's device, and turns on what
// was asked for with it (XEP-0386 §3.2). Where that can't be, the client is told
// that it is authenticated and no more: it may bind in the older way, which can
// say why not.
func (s *Stream) bindInline(ctx context.Context, l *login, account jid.JID) {
	b := &sessionmgr.Binding{Resource: s.resource(l, account), Own: true}
	for _, a := range l.bind.requests {
		if a.Binding = b; a.handler.Before != nil {
			a.handler.Before(ctx, &a.InlineRequest)
		}
	}
	at := -1 // what comes for the session from then on stands behind the success
	var bound []byte
	done := false
	s.beginTelling()
	defer func() {
		// Where the stream ends instead, its client learns only why, unless it is
		// to read something of the session.
		if at >= 0 && (done && !s.closing.Load() || s.appended() > at) {
			s.succeed(l, s.full, bound, at)
			s.established()
		} else if at >= 0 {
			s.untold.Store(true)
		}
		s.endTelling()
	}()
	err := s.srv.sm.BindWith(ctx, s.Session(), b, func(full jid.JID) {
		s.becomeBound(full)
		at = s.appended()
	})
	if err != nil {
		s.unbound(l, account, err)
		return
	}
	bound = []byte("<bound xmlns='" + nsBind2 + "'></bound>")
	more := func(xml []byte) { bound = slices.Insert(bound, len(bound)-len("</bound>"), xml...) }
	for _, a := range l.bind.requests {
		if a.handler.After != nil {
			a.handler.After(ctx, &a.InlineRequest)
		}
		more(a.Answer)
	}
	ev := InlineBound{Session: s.Session()}
	if err := s.srv.Hooks.InlineBound.Run(ctx, &ev); err != nil {
		s.hookFailed(err)
		return
	}
	more(ev.XML)
	done = true
}

// unbound tells a client that it is logged in and that nothing could be bound.
func (s *Stream) unbound(l *login, account jid.JID, err error) {
	s.neg.login = nil
	if s.closing.Load() {
		return
	}
	if _, ok := stanza.AsError(err); !ok {
		s.log().Error("bind", "err", err)
	}
	s.log().Info("logged in without a resource", "account", account, "err", err)
	s.succeed(l, account, nil, -1)
}

// resource makes the name that a session is bound with: the tag that the client
// gave, and what is the same for its device each time. The id of the device can't
// be found out from it (XEP-0386 §3.2.1).
func (s *Stream) resource(l *login, account jid.JID) string {
	own := s.srv.auth.DeviceResource(account, l.agent.ID)
	if own == "" {
		own = strings.ToLower(rand.Text()[:12])
	}
	if l.bind.tag != "" {
		if full, err := account.WithResource(l.bind.tag + "/" + own); err == nil {
			return full.Resource()
		}
	}
	return own
}

// succeed appends success with what was asked for, and the features that there
// are now (XEP-0388 §2.6.1), at that place of what waits to be written; -1: at
// its end.
func (s *Stream) succeed(l *login, who jid.JID, bound []byte, at int) {
	text := appendSuccess(nil, l, who)
	for _, a := range l.requests {
		text = append(text, a.Answer...)
	}
	text = append(text, bound...)
	text = append(text, "</success>"...)
	text = append(text, s.features(s.neg.host)...)
	_ = s.send(func(dst []byte) []byte {
		if at < 0 || at > len(dst) {
			return append(dst, text...)
		}
		return slices.Insert(dst, at, text...)
	})
}

// appendSuccess begins a success: the mechanism's data, who it is, the token.
func appendSuccess(dst []byte, l *login, who jid.JID) []byte {
	dst = append(dst, "<success xmlns='"+nsSASL2+"'>"...)
	if l.data != nil {
		dst = append(dst, "<additional-data>"...)
		dst = base64.StdEncoding.AppendEncode(dst, l.data)
		dst = append(dst, "</additional-data>"...)
	}
	dst = append(dst, "<authorization-identifier>"...)
	dst = appendEscaped(dst, who.String())
	dst = append(dst, "</authorization-identifier>"...)
	return appendToken(dst, l.given)
}

// writeAuthentication offers SASL2 with the mechanisms that SASL has, and what
// can be asked for with it (XEP-0388 §2.1, XEP-0386 §3.1).
func writeAuthentication(s *Stream, f *offer) []byte {
	names, _ := s.srv.auth.Mechanisms(s.channel())
	dst := append(f.dst, "<authentication xmlns='"+nsSASL2+"'>"...)
	dst = appendMechanisms(dst, names)
	dst = append(dst, "<inline>"...)
	in := s.srv.inlines.Load()
	for _, i := range in.list {
		if !i.Bind && i.Feature != "" {
			dst = append(append(append(dst, '<'), i.Feature...), " xmlns='"...)
			dst = append(append(dst, i.NS...), "'/>"...)
		}
	}
	dst = append(dst, "<bind xmlns='"+nsBind2+"'><inline>"...)
	for _, i := range in.list {
		if i.Bind && i.Feature != "" {
			dst = append(append(append(dst, "<feature var='"...), i.Feature...), "'/>"...)
		}
	}
	dst = append(dst, "</inline></bind>"...)
	dst = s.appendFast(dst)
	dst = s.appendUpgrades(append(dst, "</inline>"...))
	return append(dst, "</authentication>"...)
}

func appendMechanisms(dst []byte, names []string) []byte {
	for _, n := range names {
		dst = append(dst, "<mechanism>"...)
		dst = appendEscaped(dst, n)
		dst = append(dst, "</mechanism>"...)
	}
	return dst
}
