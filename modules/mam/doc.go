// Package mam answers questions about an account's archive (XEP-0313): pages of
// messages by time, contact or id, what the archive spans, which searches it
// knows, and what is to be archived (XEP-0441).
//
// It owns the protocol and no message: the archive is the log of the account,
// which it reads through the interface [Archive]. It must not know how that is
// stored, what is archived or when it is trimmed.
//
// The manager calls its handlers on the goroutine that handles a session's
// stanza, which may block: the stream pauses meanwhile. Nothing is kept between
// two questions. What a page may cost is bounded in messages, bytes and records
// looked at, and so is how many questions read at a time; see [Options].
//
// An archive is its account's alone. Others who may know that the account is
// there are told forbidden, strangers what they get for everything.
//
// Start reading at query.go, which says what can be asked, and page.go, which
// says what is found.
package mam
