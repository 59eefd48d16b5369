// Package hook owns the mechanism by which one package lets others take part in
// what it does: a point is a place in the code, a handler is what runs there.
//
// It must not know any event type: the packages that own an event declare a
// struct of points (c2s.Hooks, sessionmgr.Hooks, …) and run them.
//
// There are three kinds, and the type of a point says which it is:
//
//   - [Point] tells: handlers see an event, nothing they do changes it;
//   - [Filter] lets handlers change the event they are given;
//   - [Veto] lets a handler refuse: its error ends the run.
//
// A point runs on the goroutine of its owner, with no lock held by this
// package; the owner's documentation says which goroutine that is and whether a
// handler may block. Handlers run in the order Early, Normal, Late and, within
// one of these, in the order in which they were added. Adding and removing at
// run time is safe at any moment, also from within a handler: the list is
// copied on write and a run in progress finishes with the list it started with.
//
// A handler that panics does not take anyone with it: the panic is counted
// under the handler's name and returned to the owner as a [*PanicError], who
// ends the one stream it happened on.
//
// Runs are counted, and of points whose handlers must not block one in 256 is
// timed; where they may, each is. A handler that takes longer than the point's
// limit is counted and told to the [Clock] under which its owner's catalogue was
// declared. Nothing ends such a handler: that is for the context it was given.
//
// Start reading at [Point.Add] and [Point.Run]; [Declare] is what listings come from.
package hook
