// Package history owns what the torture run's clients and its nemesis have seen,
// and what follows from it: [Check] is a pure function that holds the promises of
// the server against the histories of one run.
//
// It must not know how anything was seen: no socket, no clock, no process. So it
// is tried with histories made by hand, good ones and one for each kind of wrong.
//
// A [Log] is written by the one goroutine of its client; Check is called when all
// of them have ended.
//
// The counters are those of XEP-0198 §4 and §5. The promises are: what was
// acknowledged arrives; nothing arrives twice on one session, however often it was
// resumed; the order of a pair is kept; h never falls and never exceeds what was
// sent; an archive (XEP-0313) has nothing twice and the archives of two who write
// to each other agree.
//
// Start reading at [Event], then [Check].
package history
