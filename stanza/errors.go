package stanza

import (
	"errors"
	"maps"
	"slices"

	merr "mellium.im/xmpp/stanza"

	"weir/xmlstream"
)

// Error is a stanza error (RFC 6120 §8.3): a value that a handler returns and
// that answers one stanza. Functions of this package return it as a value, not
// as a pointer; [AsError] finds it in both shapes.
type Error = merr.Error

// NSErrors is the namespace of the conditions inside an <error/>.
const NSErrors = "urn:ietf:params:xml:ns:xmpp-stanzas"

// AsError returns the stanza error that err is or wraps.
func AsError(err error) (Error, bool) {
	var e Error
	if errors.As(err, &e) {
		return e, true
	}
	var p *Error
	if errors.As(err, &p) && p != nil {
		return *p, true
	}
	return Error{}, false
}

// NewError makes an error of a condition and a type; an empty type is the one
// that RFC 6120 §8.3.3 recommends for the condition. text is English and for
// diagnosis; it may be empty.
func NewError(condition merr.Condition, typ merr.ErrorType, text string) Error {
	if typ == "" {
		typ = defaultType(condition)
	}
	e := Error{Condition: condition, Type: typ}
	if text != "" {
		e.Text = map[string]string{"en": text}
	}
	return e
}

// defaultType returns the type that RFC 6120 §8.3.3 recommends, or "" for what
// is no defined condition.
func defaultType(c merr.Condition) merr.ErrorType {
	switch c {
	case merr.BadRequest, merr.JIDMalformed, merr.NotAcceptable, merr.PolicyViolation, merr.Redirect:
		return merr.Modify
	case merr.Forbidden, merr.NotAuthorized, merr.RegistrationRequired, merr.SubscriptionRequired:
		return merr.Auth
	case merr.RecipientUnavailable, merr.RemoteServerTimeout, merr.ResourceConstraint, merr.UnexpectedRequest:
		return merr.Wait
	case merr.Conflict, merr.FeatureNotImplemented, merr.Gone, merr.InternalServerError, merr.ItemNotFound,
		merr.NotAllowed, merr.RemoteServerNotFound, merr.ServiceUnavailable, merr.UndefinedCondition:
		return merr.Cancel
	}
	return ""
}

// made is NewError with the default type and at most one text.
func made(c merr.Condition, text []string) Error {
	if len(text) == 0 {
		return NewError(c, "", "")
	}
	return NewError(c, "", text[0])
}

// BadRequest is bad-request, modify (RFC 6120 §8.3.3.1). Here as in the
// following the first text, if any, is put into <text/>.
func BadRequest(text ...string) Error { return made(merr.BadRequest, text) }

// Conflict is conflict, cancel (RFC 6120 §8.3.3.2).
func Conflict(text ...string) Error { return made(merr.Conflict, text) }

// FeatureNotImplemented is feature-not-implemented, cancel (RFC 6120 §8.3.3.3).
func FeatureNotImplemented(text ...string) Error { return made(merr.FeatureNotImplemented, text) }

// Forbidden is forbidden, auth (RFC 6120 §8.3.3.4).
func Forbidden(text ...string) Error { return made(merr.Forbidden, text) }

// Gone is gone, cancel (RFC 6120 §8.3.3.5), without a new address.
func Gone(text ...string) Error { return made(merr.Gone, text) }

// InternalServerError is internal-server-error, cancel (RFC 6120 §8.3.3.6).
func InternalServerError(text ...string) Error { return made(merr.InternalServerError, text) }

// ItemNotFound is item-not-found, cancel (RFC 6120 §8.3.3.7). It must not tell
// anyone about presence who may not know it: that is ServiceUnavailable.
func ItemNotFound(text ...string) Error { return made(merr.ItemNotFound, text) }

// JIDMalformed is jid-malformed, modify (RFC 6120 §8.3.3.8).
func JIDMalformed(text ...string) Error { return made(merr.JIDMalformed, text) }

// NotAcceptable is not-acceptable, modify (RFC 6120 §8.3.3.9).
func NotAcceptable(text ...string) Error { return made(merr.NotAcceptable, text) }

// NotAllowed is not-allowed, cancel (RFC 6120 §8.3.3.10).
func NotAllowed(text ...string) Error { return made(merr.NotAllowed, text) }

// NotAuthorized is not-authorized, auth (RFC 6120 §8.3.3.11).
func NotAuthorized(text ...string) Error { return made(merr.NotAuthorized, text) }

// PolicyViolation is policy-violation, modify (RFC 6120 §8.3.3.12); wait is
// right where time heals it (NewError).
func PolicyViolation(text ...string) Error { return made(merr.PolicyViolation, text) }

// RecipientUnavailable is recipient-unavailable, wait (RFC 6120 §8.3.3.13).
func RecipientUnavailable(text ...string) Error { return made(merr.RecipientUnavailable, text) }

// Redirect is redirect, modify (RFC 6120 §8.3.3.14), without the other address.
func Redirect(text ...string) Error { return made(merr.Redirect, text) }

// RegistrationRequired is registration-required, auth (RFC 6120 §8.3.3.15).
func RegistrationRequired(text ...string) Error { return made(merr.RegistrationRequired, text) }

// RemoteServerNotFound is remote-server-not-found, cancel (RFC 6120 §8.3.3.16).
func RemoteServerNotFound(text ...string) Error { return made(merr.RemoteServerNotFound, text) }

// RemoteServerTimeout is remote-server-timeout, wait (RFC 6120 §8.3.3.17).
func RemoteServerTimeout(text ...string) Error { return made(merr.RemoteServerTimeout, text) }

// ResourceConstraint is resource-constraint, wait (RFC 6120 §8.3.3.18).
func ResourceConstraint(text ...string) Error { return made(merr.ResourceConstraint, text) }

// ServiceUnavailable is service-unavailable, cancel (RFC 6120 §8.3.3.19).
func ServiceUnavailable(text ...string) Error { return made(merr.ServiceUnavailable, text) }

// SubscriptionRequired is subscription-required, auth (RFC 6120 §8.3.3.20).
func SubscriptionRequired(text ...string) Error { return made(merr.SubscriptionRequired, text) }

// UndefinedCondition is undefined-condition, cancel (RFC 6120 §8.3.3.21): only
// together with a condition of the application (ErrorReplyWith).
func UndefinedCondition(text ...string) Error { return made(merr.UndefinedCondition, text) }

// UnexpectedRequest is unexpected-request, wait (RFC 6120 §8.3.3.22).
func UnexpectedRequest(text ...string) Error { return made(merr.UnexpectedRequest, text) }

// AppendError appends e as the <error/> child of a stanza (RFC 6120 §8.3.2), and
// inside of it app, the element of a condition of the application, or nil. What
// is no defined condition is undefined-condition, an unknown type is the
// condition's own.
func AppendError(dst []byte, e Error, app []byte) []byte {
	if defaultType(e.Condition) == "" {
		e.Condition = merr.UndefinedCondition
	}
	switch e.Type {
	case merr.Auth, merr.Cancel, merr.Continue, merr.Modify, merr.Wait:
	default:
		e.Type = defaultType(e.Condition)
	}
	dst = append(dst, "<error type='"...)
	dst = append(dst, e.Type...)
	if e.By.Domainpart() != "" {
		dst = append(dst, "' by='"...)
		dst = xmlstream.AppendAttr(dst, e.By.String())
	}
	dst = append(dst, "'><"...)
	dst = append(dst, e.Condition...)
	dst = append(dst, " xmlns='"+NSErrors+"'/>"...)
	for _, lang := range languages(e.Text) {
		if e.Text[lang] == "" {
			continue
		}
		dst = append(dst, "<text xmlns='"+NSErrors+"'"...)
		if lang != "" {
			dst = append(dst, " xml:lang='"...)
			dst = xmlstream.AppendAttr(dst, lang)
			dst = append(dst, '\'')
		}
		dst = append(dst, '>')
		dst = xmlstream.AppendEscaped(dst, e.Text[lang])
		dst = append(dst, "</text>"...)
	}
	dst = append(dst, app...)
	return append(dst, "</error>"...)
}

// languages returns the languages of texts in a fixed order.
func languages(texts map[string]string) []string {
	if len(texts) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(texts))
}
