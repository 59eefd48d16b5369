// Package events turns what happens to sessions and accounts into values for
// programs outside of the server: it owns the vocabulary (which events there are,
// what each tells), the one place that listens to the hooks, and the bounded queue
// in which events wait for whoever takes them away.
//
// It must not know who takes them: its children do, each a [Sink] (sessionlog
// writes a file, webhook tells others over HTTP). No event has a stanza, a password
// or a token in it.
//
// Hooks run [Sink.Put] on any goroutine, a reader's too, so it must not block.
// Where no sink is configured nothing is registered and nothing costs. It implements
// no specification.
//
// Start reading at [Event], then [Follow].
package events
