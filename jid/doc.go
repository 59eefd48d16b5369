// Package jid owns the address: [JID], a small immutable value that is
// normalised when it is made and compared by ==.
//
// It must not know stanzas, sessions or which domains are ours.
//
// Everything here is a pure function on values; any goroutine may call it at
// any time. The stream's reader parses the addresses of each stanza, so an
// address that is already normal ASCII takes a fast path that allocates nothing
// ([Parse]) or one string ([ParseBytes]).
//
// It implements RFC 7622 (XMPP address format). What the fast path does not
// recognise is normalised by mellium.im/xmpp/jid, which applies PRECIS and IDNA;
// the fast path never decides differently, and a fuzz target says so.
//
// Start reading at [Parse] and, below it, at plain in plain.go.
package jid
