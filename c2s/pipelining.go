package c2s

import (
	"crypto/sha256"
	"encoding/base64"

	"weir/auth"
)

// errConfigVersion refuses a login that was sent for features which are not these. It
// is no wrong credential, and counts against nobody (XEP-0509 §2.2).
var errConfigVersion = &auth.Failure{Condition: "aborted", Text: "the features are not those that the login was made for"}

// writeConfigVersion names the features as they are here (XEP-0509 §2.1): a client that
// was here before and is told the same name again may send its login together with its
// header, and misses nothing. The name is a hash of them, so it changes when anything
// does, and stays over a restart.
func writeConfigVersion(s *Stream, f *offer) []byte {
	sum := sha256.Sum256(f.dst)
	s.neg.config = base64.StdEncoding.EncodeToString(sum[:18])
	return append(f.dst, "<config-version xmlns='"+nsIAP+"' scheme='opaque' value='"+s.neg.config+"'/>"...)
}

// checkConfigVersion refuses a login that was made for other features, before anything
// of it is looked at that could count.
func (s *Stream) checkConfigVersion(all *Element) *auth.Failure {
	e, once := all.child(nsIAP, "config-version")
	if !once {
		return errTwice
	}
	if e == nil {
		return nil
	}
	if value, _ := e.Attr("value"); string(value) != s.neg.config {
		return errConfigVersion
	}
	return nil
}
