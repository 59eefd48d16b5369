package c2s

import (
	"crypto/rand"
	"strconv"
	"strings"

	"weir/jid"
	"weir/stanza"
	"weir/xmlstream"

	"mellium.im/xmpp/stream"
)

// response is the opening tag that we send.
type response struct {
	from, to string // to: only if the client named itself
	id       string
	version  string // "" for a peer of the time before XMPP 1.0
}

// newResponse is the header for a stream that ends before the client's came.
func (s *Stream) newResponse() response {
	from := s.srv.o.Domain // RFC 6120 §4.9.1.3
	if sess := s.Session(); sess != nil && sess.Host() != "" {
		from = sess.Host()
	}
	return response{from: from, id: rand.Text(), version: "1.0"}
}

// append appends XML declaration and opening tag. The language is always the
// one that our texts are in (RFC 6120 §4.7.4).
func (r response) append(dst []byte) []byte {
	dst = append(dst, "<?xml version='1.0'?><stream:stream from='"...)
	dst = appendEscaped(dst, r.from)
	dst = append(dst, "' id='"...)
	dst = append(dst, r.id...)
	if r.to != "" {
		dst = append(dst, "' to='"...)
		dst = appendEscaped(dst, r.to)
	}
	if r.version != "" {
		dst = append(dst, "' version='"...)
		dst = append(dst, r.version...)
	}
	return append(dst, "' xml:lang='en' xmlns='"+stanza.NSClient+"' xmlns:stream='"+nsStream+"'>"...)
}

// header takes the client's opening tag and answers it: with our own and the
// features, or with our own and an error (RFC 6120 §4.9.1.2).
func (s *Stream) header(tok *xmlstream.Token) {
	r := s.newResponse()
	var from jid.JID
	if v, ok := tok.Attr("from"); ok {
		// A malformed one is treated as absent: before TLS it means nothing,
		// after it the login decides.
		if from, _ = jid.ParseBytes(v); !from.IsZero() {
			// RFC 6120 §4.7.2 has clients send their bare JID. Those that send a full
			// one (mellium's) insist on getting that back.
			r.to = from.String()
		}
		// Old clients name their machine or our domain, as servers do: that is no
		// claim to be an account that RFC 6120 §6.4.6 could compare.
		if from.Local() == "" {
			from = jid.JID{}
		}
	}
	v, versioned := tok.Attr("version")
	major, minor, _ := strings.Cut(string(v), ".")
	switch { // RFC 6120 §4.7.5: the lower of the two, none for a peer without
	case !versioned:
		r.version = ""
	case number(major) == 0 && number(minor) >= 0:
		r.version = "0." + strconv.Itoa(number(minor))
	}
	host, why := s.checkAddress(tok, from)
	if host != "" {
		r.from = host
	}
	if e := checkSyntax(tok, s.scan.ContentNamespace(), number(major) == 1 && number(minor) >= 0); e != nil {
		why = e // what is wrong with the header itself comes first
	}
	var features []byte
	if why == nil {
		s.accept(tok, host, from)
		if why = s.deadEnd(); why == nil {
			features = s.features(host)
		}
	}
	_ = s.send(func(dst []byte) []byte {
		s.opened = true
		return append(r.append(dst), features...)
	})
	if why != nil {
		s.Fail(why)
	}
}

// accept keeps what a good header tells.
func (s *Stream) accept(tok *xmlstream.Token, host string, from jid.JID) {
	s.lang = language(tok)
	s.Session().SetLang(s.lang)
	s.neg.host = host
	if s.State() != Plain { // without TLS anyone on the way could have put it there
		s.neg.from = from
	}
	if !s.neg.named {
		s.neg.named = true
		s.srv.sm.StreamOpened(s.Session(), host)
	}
}

// deadEnd is the error for a client that has to use TLS where there is none: no
// features at all would tell it that the negotiation is complete (RFC 6120 §4.3.5).
func (s *Stream) deadEnd() *stream.Error {
	if s.mayLogin() || s.hasTLS() {
		return nil
	}
	s.log().Error("no TLS for a host whose clients must use it", "host", s.neg.host)
	return streamError(stream.InternalServerError, "TLS is required, and not configured for this host")
}

// checkSyntax checks name, prefix and namespaces; content is the default
// namespace, understood whether we speak the version.
func checkSyntax(tok *xmlstream.Token, content string, understood bool) *stream.Error {
	if string(tok.Space) != nsStream { // RFC 6120 §4.8.1
		return streamError(stream.InvalidNamespace, "the root element is not in the stream namespace")
	}
	if string(tok.Local) != "stream" {
		return streamError(stream.BadFormat, "the root element is not <stream/>")
	}
	// RFC 6120 §4.8.5: the prefix is the usual one, or none.
	if len(tok.Prefix) > 0 && string(tok.Prefix) != "stream" {
		return streamError(stream.BadNamespacePrefix, "the prefix of the stream namespace must be \"stream\"")
	}
	if content != "" && content != stanza.NSClient && (content != nsStream || len(tok.Prefix) > 0) { // RFC 6120 §4.8.3
		return streamError(stream.InvalidNamespace, "the content namespace must be "+stanza.NSClient)
	}
	// RFC 6120 §4.9.3.25: another major version is another protocol.
	if !understood {
		return streamError(stream.UnsupportedVersion, "the version must be 1.0")
	}
	return nil
}

// number reads a decimal number with any zeros in front, -1 if it is none.
func number(digits string) int {
	if digits == "" || len(digits) > 9 {
		return -1
	}
	n := 0
	for _, c := range []byte(digits) {
		if c < '0' || c > '9' {
			return -1
		}
		n = 10*n + int(c-'0')
	}
	return n
}

// checkAddress checks to and from. It returns the host asked for if it is ours.
func (s *Stream) checkAddress(tok *xmlstream.Token, from jid.JID) (host string, why *stream.Error) {
	v, _ := tok.Attr("to")
	to, err := jid.ParseBytes(v)
	switch {
	case len(v) == 0:
		return "", streamError(stream.ImproperAddressing, "the header has no 'to'")
	case err != nil || to != to.Host():
		return "", streamError(stream.ImproperAddressing, "'to' must be a domain")
	case !s.srv.sm.Local(to.Domain()):
		return "", streamError(stream.HostUnknown, "") // RFC 6120 §4.9.3.6
	}
	host = to.Domain()
	if s.neg.host != "" && host != s.neg.host {
		// A stream stays with the host for which it was secured and its client
		// logged in.
		return host, streamError(stream.NotAuthorized, "a restarted stream must be for the same host")
	}
	if !from.IsZero() && from.Domain() != host { // XEP-0388 §2.1
		return host, streamError(stream.InvalidFrom, "'from' is of another domain than 'to'")
	}
	if !from.IsZero() && !s.neg.account.IsZero() && from.Bare() != s.neg.account {
		return host, streamError(stream.InvalidFrom, "'from' is not who logged in") // RFC 6120 §4.9.3.9
	}
	return host, nil
}

// language returns the header's xml:lang, "" if there is none or it is no
// language tag (RFC 6120 §4.7.4).
func language(tok *xmlstream.Token) string {
	v, _ := tok.AttrNS(nsXML, "lang")
	if len(v) > 35 {
		return ""
	}
	for _, c := range v {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-') {
			return ""
		}
	}
	return string(v)
}
