// Package sessionmgr owns sessions: who a client is from TCP accept until its
// end, which state it is in and why, where a stanza goes, the one pipeline through
// which everything is numbered, made durable and released, and the log of each
// account: its archive, its messages that wait, and the queues of its sessions.
//
// It must not know how a session is reached (netserver, c2s: it sees a [Link]),
// what stream management looks like on the wire (modules/acks), nor what a roster
// or a presence broadcast is (roster, presence: they register handlers and hooks
// like any module).
//
// Who calls it: a stream calls [Manager.Open], [Manager.StreamOpened],
// [Manager.Authenticated], [Manager.Inbound] and [Manager.Closed] on its reader
// goroutine, [Manager.Bind], [Manager.Enable] and [Manager.Resume] on a worker, and
// [Session.Due] with its drain token; modules call [Manager.Submit],
// [Manager.Route] and the look-ups from any goroutine. Whoever starts a server
// calls [Manager.Restore] once before. Nothing here blocks, unless its comment says
// that it waits or may read storage.
//
// The way of a stanza: [Manager.Inbound] decides by RFC 6121 §8 (message.go,
// iq.go, presence.go, each with its table) and hands the result to the pipeline
// (pipeline.go). What has to be durable joins the open batch. One batch is with
// the store at a time; as the next is sealed (seal.go) everything before it has
// been released, so the numbers that its stanzas get are known and written with it.
// Then deliver.go calls [Link.Append] in one order for all. item.go has what the
// pipeline is given, and release.go what follows a commit.
//
// What is kept of a stanza is the table in class.go. A message that is kept is
// one record in its account's log (record.go), which names the sessions it is
// for. A session's queue is the part of the log behind its cursor; it pulls from
// there (pull.go, plan.go, readlog.go) when it isn't live. What a session leaves that ends
// are segments of the log (segment.go), which its account owes to whoever comes
// next (ledger.go, owed.go). Numbers and acknowledgements are in acks.go and
// enable.go, sleep and return in hibernate.go, resume.go and opening.go, what clients send
// twice in resent.go, and what a later process is told in sessionstore.go and
// state.go, which restore.go reads; sentence.go has which sessions are to end then.
// [CheckRecord] says whether a record of these tables can be read. Who has much for a
// session that isn't kept asks whether it is ready (ready.go).
//
// What becomes of a stanza is followed by tracker.go and, in the pipeline,
// followed.go. unbind.go takes a resource from a stream that goes on. virtual.go and
// virtuallink.go make sessions without a client.
//
// Lock order: pipeline token, shard, session. The token is no mutex but the
// right to run the pipeline; whoever holds it takes shard and session locks for
// moments only. No lock is held while a hook runs or a link flushes.
//
// It implements RFC 6120 §7 and §10 (binding, processing stanzas), RFC 6121 §8,
// XEP-0198 (stream management) but for its elements, XEP-0160 (messages for nobody
// online) with XEP-0203 delay stamps, the storage that XEP-0313 asks about, and
// XEP-0359 stanza ids for what is in it.
//
// Start reading at [Session], then pipeline.go, seal.go and deliver.go, then
// acks.go and resume.go.
package sessionmgr
