// Package blocking lets an account block others (XEP-0191): it owns the lists of
// whom accounts block, the requests by which clients read and change them, and
// the pushes that tell the account's other clients.
//
// It must not know what a block keeps from whom: that is decided where stanzas are
// routed (sessionmgr), by the list that it puts in force for each session. Nor does
// it know who hears that somebody is gone: it asks [Presence].
//
// The manager calls its handlers on a goroutine of their own while the client's
// stream pauses, since they read and write storage; its hooks run where sessions
// are bound or restored. A change of a list is in force before it is answered, and
// durable before.
//
// Start reading at [New], then change.go.
package blocking
