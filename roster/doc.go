// Package roster owns contact lists: roster items, their subscription states,
// the requests that wait for an answer, and roster versions.
//
// It must not know sessions or streams. It answers what is in a roster, computes
// what a roster set or a subscription stanza changes, and says what has to be
// pushed; who gets the push is decided above (modules/contacts).
//
// Reads ([Rosters.State], [Rosters.Subscribers], …) never block and may be called from any
// goroutine: they see rosters that are in memory, which those of online accounts always
// are ([Rosters.Load] pins them). Changes are made in a transaction ([Rosters.Begin]) on
// a goroutine that may block, since a roster may have to be read from storage.
//
// A transaction has the turn of its accounts, from Begin until its batch was
// handed on. So writes reach storage in the order in which they were computed,
// though nobody waits for a commit. A turn orders changes; it is no lock for readers. If
// a commit fails, the rosters concerned are read again from storage.
//
// Stored are, for an account: one record for each contact and one for the version,
// in one Map, so that a login reads a roster with one scan and a change writes
// one small record, however long the roster is; and the requests that wait
// for an answer, whole, in a second Map that is read only to deliver them.
//
// It implements RFC 6121 §2 (rosters, and their versions, which XEP-0237 had
// before), the state machine of RFC 6121 §3 and RFC 6121 Appendix A, and
// pre-approval (RFC 6121 §3.4).
//
// Start reading at table.go, which is Appendix A as data, then at [Tx].
package roster
