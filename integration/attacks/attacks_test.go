package attacks

import "testing"

// TestAttacks runs everything that the limits that ship are enough for, against
// one server.
func TestAttacks(t *testing.T) {
	h := open(t, nil)
	h.run(t, "xml", attackXML)
	h.run(t, "streams", attackStreams)
	h.run(t, "starttls", attackStartTLS)
	h.run(t, "sasl", attackSASL)
	h.run(t, "scram", attackSCRAM)
	h.run(t, "identity", attackIdentity)
	h.run(t, "privacy", attackPrivacy)
	h.run(t, "stanzas", attackStanzas)
	h.run(t, "bind", attackBind)
}
