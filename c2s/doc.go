// Package c2s owns one client stream: header, features, STARTTLS, SASL in its two
// forms, resource binding, stanzas, and the end of it. A [Server] makes a [Stream] for
// each connection; the stream checks what the client sends, stamps the sender
// on its stanzas and hands them to the session manager.
//
// It must not know rosters, presence or any module. They plug in: stream
// features and nonzas (top-level elements that are not stanzas) through
// [Server.HandleNonza] and [Hooks].StreamFeatures, what can be asked for with a
// login through [Server.HandleInline], everything else through the hooks here and
// in sessionmgr.
//
// Who calls it: netserver calls Data, BatchEnd, ReadTimeout and Closed on the
// connection's reader goroutine, PreDrain and Drained on any goroutine, one at a
// time; sessionmgr calls the methods of sessionmgr.Link on any goroutine. What
// may block (a SASL step, binding) runs on a goroutine of its own while the
// connection's input is paused: for that time the negotiation belongs to that
// goroutine. The fields of Stream are grouped by owner.
//
// It implements RFC 6120 for client streams, with RFC 7590 and XEP-0368 for TLS,
// XEP-0388 (SASL2; its tasks are the upgrades of XEP-0480), XEP-0386 (binding with
// the login), the elements of XEP-0484 (tokens), XEP-0509 (logins sent with the header),
// XEP-0440 (channel-binding types), XEP-0478 (stream limits), the caps feature
// of XEP-0115, pings of XEP-0199 to silent clients, and the session request of
// the older RFC 3921, which does nothing.
//
// Start reading at [Stream.Data], then at the table in elements.go; for logins at
// sasl.go, and sasl2.go for what comes with them.
package c2s
