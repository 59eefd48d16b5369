// Package administration is the useful part of service administration
// (XEP-0133): commands by which an admin makes, locks and deletes accounts, ends
// sessions, tells something to everybody, and sees who is there.
//
// It keeps nothing. It must not know how commands are offered and answered: each
// is a [Command], which modules.go hands on to modules/commands, for admins only.
// Nor does it know how accounts are kept: it asks [Accounts]. What it does is what
// `weir user` and `weir session kick` do, and so are the log lines.
//
// Its functions run on the goroutine of the request, which may block.
//
// Start reading at [New].
package administration
