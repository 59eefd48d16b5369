package c2s

import (
	"strconv"
	"time"

	"weir/auth"
)

// readFast reads what a login says of tokens: <fast/>, by which it uses one, and
// <request-token/> (XEP-0484 §3.2, §3.4).
func (l *login) readFast(all *Element) *auth.Failure {
	fast, once := all.child(nsFast, "fast")
	request, one := all.child(nsFast, "request-token")
	if !once || !one {
		return errTwice
	}
	if request != nil {
		v, _ := request.Attr("mechanism")
		l.request = string(v)
	}
	if fast == nil {
		return nil
	}
	use := &auth.TokenUse{Agent: l.agent.ID}
	if v, given := fast.Attr("count"); given {
		n, err := strconv.ParseUint(string(v), 10, 31) // xs:int, and never negative
		if err != nil {
			return errCount
		}
		use.Count, use.Counted = uint32(n), true
	}
	switch v, _ := fast.Attr("invalidate"); string(v) {
	case "true", "1":
		use.Invalidate = true
	}
	l.token = use
	return nil
}

// appendFast announces the mechanisms that tokens can be used with (XEP-0484 §3.1).
func (s *Stream) appendFast(dst []byte) []byte {
	names := s.srv.auth.TokenMechanisms(s.channel())
	if len(names) == 0 {
		return dst
	}
	dst = append(dst, "<fast xmlns='"+nsFast+"'>"...)
	dst = appendMechanisms(dst, names)
	return append(dst, "</fast>"...)
}

// appendToken hands out a token (XEP-0484 §3.3).
func appendToken(dst []byte, t auth.Token) []byte {
	if t.Value == "" {
		return dst
	}
	dst = append(dst, "<token xmlns='"+nsFast+"' expiry='"...)
	dst = t.Expires.UTC().AppendFormat(dst, time.RFC3339)
	dst = append(dst, "' token='"...)
	dst = appendEscaped(dst, t.Value)
	return append(dst, "'/>"...)
}
