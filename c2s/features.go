package c2s

import (
	"strconv"
)

// feature is one row of the table of stream features.
type feature struct {
	states State
	// when says whether it is offered, nil: always.
	when  func(s *Stream) bool
	write func(s *Stream, f *offer) []byte
}

// offer is a features element being written.
type offer struct {
	dst  []byte
	host string
	ev   StreamFeatures // what the hook said
}

// features is which feature is offered in which state. Where TLS is required,
// nothing else is announced before it (RFC 6120 §5.3.1).
var featureTable = []feature{
	{states: Plain, when: (*Stream).hasTLS, write: writeStartTLS},
	{states: Plain | Secured, when: (*Stream).mayLogin, write: writeMechanisms},
	{states: Plain | Secured, when: (*Stream).mayLogin, write: writeAuthentication},
	{states: Authenticated, write: writeBind},
	{states: anyState, when: (*Stream).mayLogin, write: writeLimits},
	{states: anyState, when: (*Stream).mayLogin, write: writeHooked},
	{states: Plain | Secured, when: (*Stream).mayLogin, write: writeConfigVersion}, // of all the others
}

// featuresBytes is what the features mostly take, before a login: a guess that saves
// growing.
const featuresBytes = 1536

// features makes the features element for the state of the stream (RFC 6120 §4.3.2).
func (s *Stream) features(host string) []byte {
	state := s.State()
	f := offer{host: host, dst: append(make([]byte, 0, featuresBytes), "<stream:features>"...)}
	if s.mayLogin() && !s.srv.Hooks.StreamFeatures.Empty() {
		f.ev = StreamFeatures{Session: s.Session(), Host: host, State: state}
		if err := s.srv.Hooks.StreamFeatures.Run(s.ctx(), &f.ev); err != nil {
			s.hookFailed(err)
			return nil
		}
	}
	for _, row := range featureTable {
		if row.states&state != 0 && (row.when == nil || row.when(s)) {
			f.dst = row.write(s, &f)
		}
	}
	return append(f.dst, "</stream:features>"...)
}

// hasTLS reports whether the stream could still be secured.
func (s *Stream) hasTLS() bool {
	return s.lis.StartTLS != nil && s.lis.StartTLS(s.neg.host) != nil
}

// mayLogin reports whether the client is far enough to log in, or has.
func (s *Stream) mayLogin() bool { return s.State() != Plain || s.lis.Insecure }

func writeStartTLS(s *Stream, f *offer) []byte {
	f.dst = append(f.dst, "<starttls xmlns='"+nsTLS+"'>"...)
	if !s.lis.Insecure {
		f.dst = append(f.dst, "<required/>"...) // RFC 6120 §5.4.1
	}
	return append(f.dst, "</starttls>"...)
}

// writeMechanisms offers the mechanisms, best first, and what channels can be
// bound to (RFC 6120 §6.4.1, XEP-0440 §3).
func writeMechanisms(s *Stream, f *offer) []byte {
	names, bindings := s.srv.auth.Mechanisms(s.channel())
	dst := f.dst
	if len(bindings) > 0 {
		dst = append(dst, "<sasl-channel-binding xmlns='"+nsBinding+"'>"...)
		for _, b := range bindings {
			dst = append(dst, "<channel-binding type='"...)
			dst = appendEscaped(dst, b)
			dst = append(dst, "'/>"...)
		}
		dst = append(dst, "</sasl-channel-binding>"...)
	}
	dst = append(dst, "<mechanisms xmlns='"+nsSASL+"'>"...)
	dst = appendMechanisms(dst, names)
	return append(dst, "</mechanisms>"...)
}

// writeBind offers binding, which every client must do (RFC 6120 §7.4), and the
// session request of RFC 3921, which none has to.
func writeBind(_ *Stream, f *offer) []byte {
	return append(f.dst, "<bind xmlns='"+nsBind+"'/><session xmlns='"+nsSession+"'><optional/></session>"...)
}

// writeLimits tells what is accepted from here on (XEP-0478 §3.1).
func writeLimits(s *Stream, f *offer) []byte {
	o := s.srv.opts()
	size := o.LoginBytes
	if s.State() >= Authenticated {
		size = o.StanzaBytes
	}
	dst := append(f.dst, "<limits xmlns='"+nsLimits+"'><max-bytes>"...)
	dst = strconv.AppendInt(dst, int64(size), 10)
	dst = append(dst, "</max-bytes>"...)
	if s.State() >= Authenticated {
		dst = append(dst, "<idle-seconds>"...)
		dst = strconv.AppendInt(dst, int64(o.IdleTimeout.Seconds()), 10)
		dst = append(dst, "</idle-seconds>"...)
	}
	return append(dst, "</limits>"...)
}

// writeHooked adds what modules offer, and the server's capabilities (XEP-0115 §6.3).
func writeHooked(_ *Stream, f *offer) []byte {
	dst := f.dst
	if c := f.ev.Caps; c.Ver != "" {
		dst = append(dst, "<c xmlns='"+nsCaps+"' hash='"...)
		dst = appendEscaped(dst, c.Hash)
		dst = append(dst, "' node='"...)
		dst = appendEscaped(dst, c.Node)
		dst = append(dst, "' ver='"...)
		dst = appendEscaped(dst, c.Ver)
		dst = append(dst, "'/>"...)
	}
	return append(dst, f.ev.XML...)
}
