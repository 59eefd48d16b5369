package sessionmgr

import (
	"net/netip"

	"weir/stanza"

	"mellium.im/xmpp/stream"
)

// Link is the live end of a session: one stream of a client. The manager calls
// it from many goroutines; no method blocks.
type Link interface {
	// Append renders the stanza into the out-buffer, in the order of the calls.
	// An error means that the link is lost or over its output limit; it then
	// closes by itself and what was to be appended has not been written.
	Append(st *stanza.Stanza) error
	// Flush writes what was appended. It is called with no lock held.
	Flush()
	// WantDrain has the next Flush run the pre-drain even if nothing was appended.
	WantDrain()
	// Waiting returns the bytes that were appended and are not yet written. A link
	// that is lost before it wrote everything never returns 0 again.
	Waiting() int
	// Close ends the stream, with an error element unless why is nil.
	Close(why *stream.Error)
}

// Catcher is a Link that wants to know when its session has been given everything
// that it had to catch up with: after a resumption, what is sent again and what
// waited. CaughtUp comes on any goroutine, and may come again.
type Catcher interface{ CaughtUp() }

// LinkInfo is what a link tells about itself, for listings and logs: given when
// the session is opened and renewed after TLS and SASL.
type LinkInfo struct {
	Transport string         // "tcp", or TransportVirtual
	Listener  string         // name of the listener: "c2s", "c2s-tls", …
	Remote    netip.AddrPort // the client's address
	TLS       string         // "TLS 1.3", "" without
	Cipher    string         // cipher suite, "" without TLS
	Resumed   bool           // the TLS session is one that a ticket resumed
	Mechanism string         // SASL mechanism, "" before login
	Binding   string         // channel binding type, "" without
	ALPN      string         // protocol agreed on with TLS, "" without (XEP-0368 §2)
	SNI       string         // host that the client asked for with TLS, "" without
	Lang      string         // language of the stream, "" if its header has none (RFC 6120 §4.7.4)
}

// traits are what many sessions have in common of their LinkInfo: kept once.
type traits struct {
	transport, listener, tls, cipher, mechanism, binding, alpn, sni, lang string
	resumed                                                               bool
}

// maxTraits is how many are remembered for the next session with the same: SNI
// and language are what a stranger says, who could think of ever new ones.
const maxTraits = 1024

// maxSNI is the longest that a host name can be, in bytes: more isn't told.
const maxSNI = 253

// share returns the one copy of the traits of info.
func (m *Manager) share(info LinkInfo) *traits {
	t := traits{info.Transport, info.Listener, info.TLS, info.Cipher, info.Mechanism, info.Binding,
		info.ALPN, info.SNI[:min(len(info.SNI), maxSNI)], info.Lang, info.Resumed}
	if known, ok := m.traits.Load(t); ok {
		return known.(*traits)
	}
	if m.traitCount.Add(1) > maxTraits { // sessions keep what they have
		m.traitCount.Store(1)
		m.traits.Clear()
	}
	known, _ := m.traits.LoadOrStore(t, &t)
	return known.(*traits)
}

// with returns the LinkInfo of a session with these traits.
func (t *traits) with(remote netip.AddrPort) LinkInfo {
	return LinkInfo{
		Transport: t.transport, Listener: t.listener, Remote: remote,
		TLS: t.tls, Cipher: t.cipher, Resumed: t.resumed, Mechanism: t.mechanism, Binding: t.binding,
		ALPN: t.alpn, SNI: t.sni, Lang: t.lang,
	}
}
