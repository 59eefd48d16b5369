// Package invitations lets people in who have no account: who runs the server, or an
// account that may, makes an invitation, and whoever has its token makes an account
// with a name and a password of their own (XEP-0401, XEP-0445, XEP-0077). Nobody
// makes one without.
//
// It owns the invitations: what they are good for, until when and how often. Of a
// token only the hash is kept. It must not know how accounts and contact lists are kept: it asks
// [Accounts] and [Contacts]; nor how its commands travel: whoever wires the server
// offers them.
//
// Requests of clients that haven't logged in come by c2s, off the reader goroutine; one
// lock keeps an invitation from being used more often than it may.
//
// Start reading at [New], then register.go.
package invitations
