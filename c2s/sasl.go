package c2s

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"weir/auth"
	"weir/jid"
	"weir/sessionmgr"
	"weir/xmlstream"

	"mellium.im/xmpp/stream"
)

// exchange is a SASL exchange under way.
type exchange = auth.Exchange

// profile is one of the two forms in which a SASL exchange goes over the wire,
// named by its namespace: that of RFC 6120 §6 or that of XEP-0388. The exchange
// is the same in both.
type profile string

// saslConditions are the failures that RFC 6120 §6.5 defines.
var saslConditions = map[string]bool{
	"aborted": true, "account-disabled": true, "credentials-expired": true, "encryption-required": true,
	"incorrect-encoding": true, "invalid-authzid": true, "invalid-mechanism": true, "malformed-request": true,
	"mechanism-too-weak": true, "not-authorized": true, "temporary-auth-failure": true,
}

// channel is what the mechanisms know of the connection.
func (s *Stream) channel() auth.Channel {
	return auth.Channel{Domain: s.neg.host, TLS: s.conn.TLS(), Certificate: s.conn.Certificate(),
		Addr: s.conn.RemoteAddr().Addr(), AllowPlain: s.lis.Insecure && s.lis.AllowPlain}
}

// saslAuth begins an exchange (RFC 6120 §6.4.2); one under way is discarded.
func (s *Stream) saslAuth(tok *xmlstream.Token, _ []byte) {
	v, _ := tok.Attr("mechanism")
	mechanism := string(v)
	msg, err := payload(tok, true)
	s.attempt(nsSASL, mechanism, msg, err)
}

// attempt counts an attempt to log in and begins its exchange, unless err says
// what is wrong with its element.
func (s *Stream) attempt(p profile, mechanism string, msg []byte, err *auth.Failure) {
	s.neg.exchange, s.neg.profile = nil, p
	if s.neg.proven { // XEP-0388 §4.8
		s.Fail(streamError(stream.PolicyViolation, "this stream had its login"))
		return
	}
	if s.neg.tries++; s.neg.tries > s.srv.opts().MaxAuthTries {
		s.tooManyTries()
		return
	}
	switch {
	case !s.mayLogin():
		s.failure("", &auth.Failure{Condition: "encryption-required"}) // RFC 6120 §6.5.4
	case err != nil:
		s.failure("", err)
	default:
		s.Work(func(ctx context.Context) { s.begin(ctx, mechanism, msg) })
	}
}

// saslResponse goes on with an exchange (RFC 6120 §6.4.3).
func (s *Stream) saslResponse(tok *xmlstream.Token, _ []byte) {
	msg, err := payload(tok, false)
	s.respond(nsSASL, msg, err)
}

// respond takes the client's next message, unless err says what is wrong with
// its element.
func (s *Stream) respond(p profile, msg []byte, err *auth.Failure) {
	x := s.exchangeOf(p)
	switch {
	case x == nil:
		s.stray(p, &auth.Failure{Condition: "malformed-request", Text: "there is no exchange to respond to"})
	case err != nil:
		s.neg.exchange = nil
		s.failure(x.Mechanism(), err)
	default:
		s.Work(func(ctx context.Context) { s.step(ctx, x, msg) })
	}
}

// exchangeOf returns the exchange under way if it has that form, or nil.
func (s *Stream) exchangeOf(p profile) *exchange {
	if s.neg.profile != p {
		return nil
	}
	return s.neg.exchange
}

// saslAbort ends an exchange (RFC 6120 §6.4.4).
func (s *Stream) saslAbort(*xmlstream.Token, []byte) { s.abort(nsSASL) }

func (s *Stream) abort(p profile) {
	x := s.exchangeOf(p)
	if x == nil {
		s.stray(p, &auth.Failure{Condition: "aborted"})
		return
	}
	s.neg.exchange = nil
	s.failure(x.Mechanism(), &auth.Failure{Condition: "aborted"})
}

// stray answers what belongs to no exchange, and counts as an attempt.
func (s *Stream) stray(p profile, f *auth.Failure) {
	s.neg.exchange, s.neg.profile = nil, p
	if s.neg.tries++; s.neg.tries > s.srv.opts().MaxAuthTries {
		s.tooManyTries()
		return
	}
	s.failure("", f)
}

// payload decodes the data of an element: strictly, "=" stands for data of no
// length (RFC 6120 §6.3.5, §6.4.2). An auth element without any has none: nil.
func payload(tok *xmlstream.Token, initial bool) ([]byte, *auth.Failure) {
	if len(tok.Children) > 0 {
		return nil, &auth.Failure{Condition: "malformed-request", Text: "character data expected"}
	}
	text := tok.Content()
	switch {
	case len(text) == 0 && initial:
		return nil, nil
	case string(text) == "=":
		return []byte{}, nil
	}
	return fromBase64(text)
}

// fromBase64 decodes strictly; of nothing it makes data of no length.
func fromBase64(text []byte) ([]byte, *auth.Failure) {
	out := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Strict().Decode(out, text)
	if err != nil || bytes.ContainsAny(text, "\r\n") { // the decoder would skip line ends
		return nil, &auth.Failure{Condition: "incorrect-encoding"} // RFC 6120 §6.5.5
	}
	return out[:n], nil
}

// begin runs off the reader goroutine.
func (s *Stream) begin(ctx context.Context, mechanism string, msg []byte) {
	if point := &s.srv.Hooks.PreAuth; !point.Empty() {
		if err := point.Run(ctx, &PreAuth{Session: s.Session(), Mechanism: mechanism, Remote: s.conn.RemoteAddr()}); err != nil {
			s.vetoed(err)
			return
		}
	}
	x, err := s.newExchange(mechanism)
	if err != nil {
		s.failure("", asFailure(err)) // what strangers make up is no label
		return
	}
	s.step(ctx, x, msg)
}

// newExchange begins an exchange with a mechanism: with a token where the client
// says that it has one.
func (s *Stream) newExchange(mechanism string) (*exchange, error) {
	if l := s.neg.login; l != nil && l.token != nil {
		return s.srv.auth.BeginToken(s.channel(), mechanism, *l.token)
	}
	return s.srv.auth.Begin(s.channel(), mechanism)
}

// vetoed answers for a PreAuth handler.
func (s *Stream) vetoed(err error) {
	var f *auth.Failure
	switch {
	case errors.As(err, &f):
		s.failure("", f)
	case asStreamError(err) != nil, isPanic(err):
		s.hookFailed(err)
	default:
		s.failure("", asFailure(err))
	}
}

// step runs off the reader goroutine.
func (s *Stream) step(ctx context.Context, x *exchange, msg []byte) {
	out, done, err := x.Step(ctx, msg)
	switch {
	case err != nil:
		s.neg.exchange = nil
		s.failure(x.Mechanism(), asFailure(err))
	case done:
		s.neg.exchange = nil
		s.authenticated(ctx, x, out)
	default:
		s.neg.exchange = x
		_ = s.send(func(dst []byte) []byte { return appendSASL(dst, s.neg.profile, "challenge", out) })
	}
}

// appendSASL appends a challenge or success with its data. Data that is there
// but empty is "=" in a success (RFC 6120 §6.4.6).
func appendSASL(dst []byte, p profile, name string, data []byte) []byte {
	dst = append(dst, '<')
	dst = append(dst, name...)
	dst = append(append(append(dst, " xmlns='"...), p...), "'>"...)
	if data != nil && len(data) == 0 && name == "success" {
		dst = append(dst, '=')
	}
	dst = base64.StdEncoding.AppendEncode(dst, data)
	dst = append(dst, "</"...)
	dst = append(dst, name...)
	return append(dst, '>')
}

// authenticated ends a good exchange. It runs off the reader goroutine.
func (s *Stream) authenticated(ctx context.Context, x *exchange, out []byte) {
	n, account := s.neg, x.Identity().Bare()
	claimed := n.from.IsZero() || n.from.Bare() == account
	switch {
	case account.Domain() != n.host:
		s.log().Error("login for another host than the stream's", "account", account.String(), "host", n.host)
		s.Fail(streamError(stream.InternalServerError, ""))
	case !claimed && n.profile == nsSASL2: // XEP-0388 §2.3
		s.failure(x.Mechanism(), &auth.Failure{Condition: "invalid-authzid", Text: "'from' of the header is not who logs in"})
	case !claimed: // RFC 6120 §6.4.6
		s.Fail(streamError(stream.InvalidFrom, "'from' of the header is not who logged in"))
	case s.closing.Load():
	case n.profile == nsSASL2:
		s.continueLogin(ctx, x, out)
	default:
		s.loggedIn(x, account)
		s.scan.Reset(s.srv.opts().stanzaLimits()) // RFC 6120 §6.4.6: the stream starts anew
		_ = s.send(func(dst []byte) []byte {
			s.opened = false
			return appendSASL(dst, nsSASL, "success", out)
		})
		s.srv.sm.Authenticated(s.Session(), account)
		s.confirm(ctx, x)
	}
}

// confirm ends the session if its account has changed since the client proved who it
// is, and reports whether it hasn't: from sessionmgr.Authenticated on whoever
// changes the account finds the session.
func (s *Stream) confirm(ctx context.Context, x *exchange) bool {
	err := x.Confirm(ctx)
	if err == nil {
		return true
	}
	s.log().Info("the account has changed during the login", "account", x.Identity(), "err", err)
	s.srv.sm.Kick(s.Session(), sessionmgr.Cause{Code: sessionmgr.AccountGone, Text: "changed during the login"}, &stream.NotAuthorized)
	return false
}

// loggedIn notes who logged in, and gives the client time to bind.
func (s *Stream) loggedIn(x *exchange, account jid.JID) {
	s.neg.account = account
	s.conn.SetAuthenticated()
	s.conn.SetDeadline(time.Now().Add(s.srv.opts().BindTimeout))
	s.state.Store(uint32(Authenticated))
	s.Session().SetInfo(s.info(x))
	s.srv.metrics.auth.WithLabelValues(x.Mechanism(), "success").Inc()
}

// failure reports a failed exchange (RFC 6120 §6.4.5), and ends the stream
// after too many wrong credentials.
func (s *Stream) failure(mechanism string, f *auth.Failure) {
	condition := f.Condition
	if !saslConditions[condition] {
		condition = "not-authorized"
	}
	p := s.neg.profile
	s.neg.login = nil // nothing that it asked for is done (XEP-0388 §2.6.2)
	_ = s.send(func(dst []byte) []byte { return appendFailure(dst, p, condition, f) })
	if mechanism == "" {
		mechanism = "unknown"
	}
	s.srv.metrics.auth.WithLabelValues(mechanism, condition).Inc()
	why := reason(f)
	s.log().Info("login failed", "mechanism", mechanism, "condition", condition, "remote", s.conn.RemoteAddr(), "err", why)
	s.Session().LoginFailed(mechanism, why)
	ev := AuthFailed{Session: s.Session(), Mechanism: mechanism, Condition: condition, Remote: s.conn.RemoteAddr()}
	if err := s.srv.Hooks.AuthFailed.Run(s.ctx(), ev); err != nil {
		s.hookFailed(err)
		return
	}
	if !f.Credentials {
		return
	}
	if s.neg.wrong++; s.neg.wrong >= s.srv.opts().MaxWrong {
		s.limit("wrong_credentials", fmt.Sprintf("%d wrong credentials on one stream", s.neg.wrong))
	}
}

// reason is what the log says is wrong; nothing in it is secret.
func reason(f *auth.Failure) string {
	switch {
	case f.Err != nil:
		return f.Err.Error()
	case f.Text != "":
		return f.Text
	}
	return f.Condition
}

// appendFailure appends a failure. The condition has the namespace of RFC 6120 in
// both forms (XEP-0388 §2.6.2).
func appendFailure(dst []byte, p profile, condition string, f *auth.Failure) []byte {
	dst = append(append(append(dst, "<failure xmlns='"...), p...), "'><"...)
	dst = append(dst, condition...)
	if p != nsSASL {
		dst = append(dst, " xmlns='"+nsSASL+"'"...)
	}
	dst = append(dst, "/>"...)
	if f == errConfigVersion {
		dst = append(dst, "<config-version-mismatch xmlns='"+nsIAP+"'/>"...)
	}
	dst = appendText(dst, string(p), f.Text)
	return append(dst, "</failure>"...)
}

func (s *Stream) tooManyTries() {
	s.limit("auth_tries", fmt.Sprintf("more than %d attempts to log in on one stream", s.srv.opts().MaxAuthTries))
}

// asFailure makes a failure of any error: what isn't one is our trouble, never
// a wrong password.
func asFailure(err error) *auth.Failure {
	var f *auth.Failure
	if errors.As(err, &f) {
		return f
	}
	return &auth.Failure{Condition: "temporary-auth-failure", Err: err}
}
