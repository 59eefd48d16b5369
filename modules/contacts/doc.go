// Package contacts is the glue of rosters, presence and sessions: it answers
// roster IQs, handles the four subscription stanzas, pushes what changed to
// interested resources and delivers unanswered requests at every login.
//
// It must not know other modules, streams or sockets.
//
// The manager calls it on the goroutine that handles a session's stanza, which
// may block: rosters of contacts who aren't online are read from storage. What a stanza
// changes in one or two rosters, and everything that goes out because of it, is
// one entry of the pipeline: it is committed together or not at all, and nobody sees
// an effect before its commit.
//
// It implements the stanza side of RFC 6121 §2 and RFC 6121 §3. What is up to
// it, beyond the RFC's MUSTs:
//
//   - Nothing tells whether an account exists: a request to an unknown one looks
//     like a request that nobody answers (RFC 6121 §8.5.1).
//   - A subscription to oneself is refused with not-allowed.
//   - Removing an item whose request waits for the other side withdraws the request, though
//     RFC 6121 §2.5.2 speaks of subscriptions only: else its later approval
//     would leave the two rosters at odds.
//   - Removing an item does not answer a request that waits in it.
//
// Start reading at exchange.go.
package contacts
