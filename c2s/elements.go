package c2s

import (
	"weir/stanza"
	"weir/xmlstream"

	"mellium.im/xmpp/stream"
)

// The namespaces of stream negotiation.
const (
	nsStream   = "http://etherx.jabber.org/streams"
	nsErrors   = "urn:ietf:params:xml:ns:xmpp-streams"
	nsTLS      = "urn:ietf:params:xml:ns:xmpp-tls"
	nsSASL     = "urn:ietf:params:xml:ns:xmpp-sasl"
	nsSASL2    = "urn:xmpp:sasl:2"
	nsBind2    = "urn:xmpp:bind:0"
	nsFast     = "urn:xmpp:fast:0"
	nsIAP      = "urn:xmpp:iap:0"
	nsUpgrade  = "urn:xmpp:sasl:upgrade:0"
	nsSalted   = "urn:xmpp:scram-upgrade:0"
	nsBinding  = "urn:xmpp:sasl-cb:0"
	nsBind     = "urn:ietf:params:xml:ns:xmpp-bind"
	nsSession  = "urn:ietf:params:xml:ns:xmpp-session"
	nsLimits   = "urn:xmpp:stream-limits:0"
	nsCaps     = "http://jabber.org/protocol/caps"
	nsPing     = "urn:xmpp:ping"
	nsServer   = "jabber:server"
	closingTag = "</stream:stream>"
	nsXML      = "http://www.w3.org/XML/1998/namespace"
)

// element says what is done with one top-level element: handle in the states
// where it is allowed, refuse in the others; rest is what came behind it.
type element struct {
	states State
	free   bool // exempt from the rate limits
	handle func(s *Stream, tok *xmlstream.Token, rest []byte)
	refuse func(s *Stream, tok *xmlstream.Token, rest []byte)
}

// elements is every top-level element that c2s itself handles. The test of the
// states walks this table.
var elements = map[xmlstream.Name]*element{
	// RFC 6120 §5.4.2: also where it is refused, starttls has an answer of its own.
	{Space: nsTLS, Local: "starttls"}: {states: Plain, handle: (*Stream).startTLS, refuse: (*Stream).refuseTLS},

	// RFC 6120 §6.4. Plain is in the set because the refusal there is a SASL failure.
	{Space: nsSASL, Local: "auth"}:     {states: Plain | Secured, handle: (*Stream).saslAuth, refuse: (*Stream).refuseUnsupported},
	{Space: nsSASL, Local: "response"}: {states: Plain | Secured, handle: (*Stream).saslResponse, refuse: (*Stream).refuseUnsupported},
	{Space: nsSASL, Local: "abort"}:    {states: Plain | Secured, handle: (*Stream).saslAbort, refuse: (*Stream).refuseUnsupported},

	// XEP-0388 §2: after success there is no second one (§4.8).
	{Space: nsSASL2, Local: "authenticate"}: {states: Plain | Secured, handle: (*Stream).sasl2Authenticate, refuse: (*Stream).refuseUnsupported},
	{Space: nsSASL2, Local: "response"}:     {states: Plain | Secured, handle: (*Stream).sasl2Response, refuse: (*Stream).refuseUnsupported},
	{Space: nsSASL2, Local: "abort"}:        {states: Plain | Secured, handle: (*Stream).sasl2Abort, refuse: (*Stream).refuseUnsupported},

	// XEP-0388 §2.6.3: what was asked for by <continue/>, and nothing without.
	{Space: nsSASL2, Local: "next"}:      {states: Plain | Secured, handle: (*Stream).taskNext, refuse: (*Stream).refuseUnsupported},
	{Space: nsSASL2, Local: "task-data"}: {states: Plain | Secured, handle: (*Stream).taskData, refuse: (*Stream).refuseUnsupported},

	// RFC 6120 §4.9.3.12: no stanzas before login; §7.1: before binding only that.
	{Space: stanza.NSClient, Local: "message"}:  {states: Authenticated | Bound, handle: (*Stream).stanza, refuse: (*Stream).refuseUnauthorized},
	{Space: stanza.NSClient, Local: "presence"}: {states: Authenticated | Bound, handle: (*Stream).stanza, refuse: (*Stream).refuseUnauthorized},
	{Space: stanza.NSClient, Local: "iq"}:       {states: Authenticated | Bound, handle: (*Stream).stanza, refuse: (*Stream).earlyIQ},

	// RFC 6120 §4.9.1.1
	{Space: nsStream, Local: "error"}: {states: anyState, handle: (*Stream).peerError},
}

// lookup finds who handles an element, nil for nobody. It does not allocate.
func (s *Stream) lookup(tok *xmlstream.Token) *element {
	if s.neg != nil && s.neg.login != nil && string(tok.Space) != nsStream {
		if string(tok.Space) != nsSASL2 || string(tok.Local) == "authenticate" {
			return outOfTurn
		}
	}
	if e := elements[xmlstream.Name{Space: string(tok.Space), Local: string(tok.Local)}]; e != nil {
		return e
	}
	return (*s.srv.nonzas.Load())[xmlstream.Name{Space: string(tok.Space), Local: string(tok.Local)}]
}

// outOfTurn is everything but a response or an abort, while one of them is
// awaited (XEP-0388 §2.4).
var outOfTurn = &element{refuse: func(s *Stream, _ *xmlstream.Token, _ []byte) {
	s.Fail(streamError(stream.NotAuthorized, "a response or an abort is awaited"))
}}

// unknown refuses an element that nobody handles.
func (s *Stream) unknown(tok *xmlstream.Token) {
	if string(tok.Space) == nsServer { // RFC 6120 §4.8.3
		s.Fail(streamError(stream.InvalidNamespace, "this is a client stream"))
		return
	}
	s.refuseUnsupported(tok, nil)
}

// refuseUnsupported ends the stream (RFC 6120 §4.9.3.24).
func (s *Stream) refuseUnsupported(*xmlstream.Token, []byte) {
	s.Fail(streamError(stream.UnsupportedStanzaType, ""))
}

// refuseUnauthorized ends the stream (RFC 6120 §4.9.3.12).
func (s *Stream) refuseUnauthorized(*xmlstream.Token, []byte) {
	s.Fail(streamError(stream.NotAuthorized, "log in first"))
}
