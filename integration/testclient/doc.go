// Package testclient owns an XMPP client made for tests: it sends whatever it is
// told, notes every byte in both directions, and compares what arrives with
// patterns.
//
// It must not know any package of the server: a parser shared with the server
// would share its mistakes. It reads with encoding/xml and secures with
// crypto/tls, and its SCRAM comes from xdg-go.
//
// A [Client] is driven by one test goroutine; a goroutine of its own reads.
// Every method that waits takes a context, and every failure comes with the
// transcript of the whole stream.
//
// It speaks the client's side of RFC 6120 (streams, STARTTLS, SASL, binding).
//
// Start reading at [Dial] and [Client.Login], then [Match] for the patterns.
package testclient
