// Package sessionmgr owns sessions: who a client is from TCP accept until its
// end, which state it is in and why, where a stanza goes, and the one pipeline
// through which everything is numbered, made durable and released.
//
// It must not know how a session is reached (netserver, c2s: it sees a [Link]),
// nor what a roster or a presence broadcast is (roster, presence: they register
// handlers and hooks like any module).
//
// Who calls it: a stream calls [Manager.Open], [Manager.StreamOpened],
// [Manager.Authenticated], [Manager.Inbound] and [Manager.Closed] on its reader
// goroutine and [Manager.Bind] on a worker; modules call [Manager.Submit],
// [Manager.Route] and the look-ups from any goroutine. Nothing here blocks,
// unless its comment says that it may read storage.
//
// The ways of a stanza: [Manager.Inbound] decides by RFC 6121 §8 (message.go,
// iq.go, presence.go, each with its table), [Manager.Submit] hands the result to
// the pipeline (pipeline.go), which calls [Link.Append] in one order for all.
// What reaches nobody is owed (owed.go): it goes into the account's log and the
// account's cursor stays in front of it until it has been written to a session.
//
// Lock order: pipeline token, shard, session. The token is no mutex but the
// right to run the pipeline; whoever holds it takes shard and session locks for
// moments only. No lock is held while a hook runs or a link flushes.
//
// It implements RFC 6120 §7 and §10 (binding, processing stanzas), RFC 6121 §8
// and XEP-0160 (messages for nobody online) with XEP-0203 delay stamps.
//
// Start reading at [Session], then pipeline.go.
package sessionmgr
