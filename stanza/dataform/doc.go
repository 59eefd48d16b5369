// Package dataform owns data forms (XEP-0004): a form as a value, in its four
// types, and whether what was submitted fits what was asked.
//
// It must not know what a form is about, nor how it travels: a [Form] is a payload
// that encoding/xml writes and [weir/stanza.Stanza.Decode] reads. Forms of mellium
// know neither results with several items nor answers that are checked against
// a form. Functions here are safe for concurrent use, as they keep nothing.
//
// Start reading at [Form] and [Form.Check].
package dataform
