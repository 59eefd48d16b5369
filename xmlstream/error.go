package xmlstream

import "strconv"

// The stream error conditions that the scanner can find.
const (
	condBadFormat           = "bad-format"           // RFC 6120 §4.9.3.1
	condNotWellFormed       = "not-well-formed"      // RFC 6120 §4.9.3.13
	condPolicyViolation     = "policy-violation"     // RFC 6120 §4.9.3.14
	condRestrictedXML       = "restricted-xml"       // RFC 6120 §4.9.3.18
	condUnsupportedEncoding = "unsupported-encoding" // RFC 6120 §4.9.3.22
)

// Error is a violation of XML or of a limit, with the stream error condition it
// is answered with (RFC 6120 §4.9.3).
type Error struct {
	Condition string // "not-well-formed", "restricted-xml", "policy-violation", …
	Text      string // what is wrong, for the peer; names the limit where it is one
	Offset    int    // of the byte in the buffer
}

// Error returns condition and text.
func (e *Error) Error() string { return e.Condition + ": " + e.Text }

// What the steps of the scanner return in place of an offset.
const (
	needMore = -1 // the bytes end inside of what is being read
	failed   = -2 // work.err says why
)

// fail notes an error and returns failed.
func (w *work) fail(off int, condition, text string) int {
	w.err = &Error{Condition: condition, Text: text, Offset: off}
	return failed
}

// malformed notes a violation of XML or of its namespaces (RFC 6120 §11.3).
func (w *work) malformed(off int, text string) int {
	return w.fail(off, condNotWellFormed, text)
}

// over notes a limit that was passed, as "what more than n unit".
func (w *work) over(off int, what string, n int, unit string) int {
	return w.fail(off, condPolicyViolation, what+" "+strconv.Itoa(n)+" "+unit)
}
