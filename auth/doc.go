// Package auth owns accounts, their credentials and the SASL mechanisms by
// which a client proves who it is. Of a password it keeps only what SCRAM needs
// to check a proof (StoredKey and ServerKey, RFC 5802 §3): whoever reads the
// accounts can't log in with what he finds. Of a token, which stands for the
// password on one device, it keeps a nonce and a hash: without the server's secret
// no token can be made of those.
//
// It must not know XML, sockets or sessions: messages are bytes without base64,
// a connection is what [Channel] says of it, and a changed account is told to
// whoever listens at [Hooks].
//
// All methods of [Service] may be called from any goroutine. [Exchange.Step]
// reads storage and may derive keys, so it is called off the goroutine that
// reads a connection; one exchange belongs to one goroutine at a time. Handlers
// of hooks run on the goroutine that changed the account, with no lock held.
//
// It implements the server's side of RFC 5802 and RFC 7677 (SCRAM with and
// without channel binding), RFC 4616 (PLAIN), RFC 9266 and RFC 5929
// (tls-exporter, tls-unique, tls-server-end-point), the conditions of
// RFC 6120 §6.5, the tokens of XEP-0484 (mechanisms HT-SHA-256-NONE, -EXPR, -UNIQ
// and -ENDP) with the devices of XEP-0388, the lists of XEP-0440 and the downgrade protection of XEP-0474 and XEP-0515, and the upgrades of XEP-0480. Names are prepared
// by PRECIS (RFC 8265) where the older documents say SASLprep.
//
// Nothing that a stranger sees tells whether an account exists: an unknown name
// gets a salt that is always the same, the same count, the same number of steps
// and the same end, at the same cost.
//
// Start reading at [Service.Begin] and [Exchange.Step], then scram.go; for tokens
// at token.go and [Exchange.Settle].
package auth
