// Package policy owns the rules that say which sessions an account may have at
// the same time: the text in which an admin writes them, what is wrong with such a
// text, and which rule is for a client.
//
// It must not know sessions, and neither who is bound nor what becomes of whom:
// that is sessionmgr's (policy.go there), which asks a [Set] for the [Rule] of each
// client and acts by it. It reads nothing and keeps nothing.
//
// A Set is a value that never changes: any goroutine may use it, and sessionmgr
// does so with the pipeline's token.
//
// It implements no specification; what clients are told by a policy is RFC 6120
// §7.6.2.1, §7.7.2.2 and §4.9.3.3.
//
// Start reading at [Parse], and at [Set.Find].
package policy
