// Package netserver owns sockets: listeners, connections, TLS, certificates,
// the write buffer of each connection, batching and pre-drain, and the limits
// which can be kept without knowing what the bytes mean.
//
// It must not know XML, addresses of users, sessions or authentication: it
// moves bytes and calls a [Handler].
//
// # Goroutines
//
// A connection has two tokens. The reader token goes with [Handler.Data],
// BatchEnd, ReadTimeout and Closed; the drain token with PreDrain and Drained.
// Whoever holds a token is alone with what is grouped under its name in [Conn].
//
// The reader is one goroutine, parked in the runtime's poller without any
// buffer. It ends while the connection is paused, closing or waiting for
// output before a TLS handshake and is started anew afterwards; after some
// quiet seconds it also hands over to a fresh goroutine, because stacks that
// have grown are not given back otherwise. So nothing may be kept in a
// goroutine's stack, and an idle connection costs the smallest stack there is.
//
// There is no writer goroutine. Whoever calls [Conn.Drain] and finds the drain
// token free writes, without blocking; one goroutine exists while the kernel
// does not take more.
//
// Callbacks are called with no lock held and must not block. All methods of
// Conn may be called from within callbacks. The other way round: Drain,
// Hold(false) and Close call PreDrain and Drained on the goroutine of their
// caller, who must hold no lock that those need; Closed is never called so.
//
// Lock order: a connection's lock and the server's are never held together.
//
// # Pre-drain
//
// [Handler.PreDrain] is the last moment to add something to what is written.
// Seven rules hold, each with a test of its name:
//
//  1. It is called once a batch, after the batch was taken and just before it
//     is written; only if there is something to write or [Conn.WantDrain] asked;
//     not while [Conn.Hold] is on.
//  2. What it appends comes last and travels in the same write.
//  3. No lock is held; it must not block.
//  4. What it appends causes no second call.
//  5. The output limit does not apply to it: a full buffer still carries it.
//  6. After a write error it is not called again; Closed is.
//  7. One call a flush: what it says at most once is said at most once.
//
// The batch that [Conn.Close] flushes is a batch as any other: a handler whose
// last bytes end a document must append nothing behind them.
//
// # Specifications
//
// STARTTLS as far as bytes go (RFC 6120 §5), direct TLS with its ALPN name
// (XEP-0368 §3), the certificate for channel binding (RFC 5929 §4), session
// tickets of TLS 1.3 (RFC 8446 §4.6.1).
//
// Start reading at [Handler], then run in reader.go and drain in drain.go.
package netserver
