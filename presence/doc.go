// Package presence owns availability: who is told when a session becomes
// available, changes its presence or goes, whom a session sent presence of its own
// accord (directed presence), and what is seen of a session that hibernates.
//
// It must not know sockets, streams, or the IQs and stanzas that change rosters
// (modules/contacts).
//
// The manager calls [Handler] on the goroutine of a session's stream, in the
// session's order, and for the end of a session on any goroutine. modules/contacts
// calls [Handler.Current] and [Handler.Gone] where a subscription begins or ends.
// Timers of sessions that hibernate, and the one that tells services after a start, run
// on goroutines of their own; so does what a session is told of many contacts, behind its
// first part (tour.go). Nothing here waits for storage but a probe to a contact whose
// roster isn't in memory, what hangs on [Hooks.Initial], [Handler.Start], and what a
// session that has missed presence is told as it is resumed (whole.go, tour.go): for
// that, who becomes available leaves a trace in the store before others see it
// (traces.go), and so does to whom a session sends directed presence (directedrecord.go).
//
// Presence of one source reaches a receiver in the order in which it changed,
// though there is no lock over sources and receivers: whoever passes on a presence
// that it read looks, once it is submitted, whether it still holds, and corrects
// it (see snapshot.go).
//
// It implements RFC 6121 §4. Contacts of other servers are passed over until
// there are streams to servers.
//
// Start reading at [Handler.FromClient]; away.go begins with what is seen of whom.
package presence
