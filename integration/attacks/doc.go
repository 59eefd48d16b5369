// Package attacks owns the hostile tests: what strangers and users may try
// against a server, written as bytes on raw sockets to the real binary, and
// the answer that the RFC demands for each.
//
// It must not know what the server is made of. It shares no parser with it
// either: all that the server ever sends is read by encoding/xml, and held
// against the rules that encoding/xml forgives (undeclared prefixes, attributes
// given twice).
//
// A server is started once for each configuration of limits; while it is
// attacked a client of good manners keeps pinging it and must always get its
// answer. Everything runs on the goroutines of the tests.
//
// It holds the server to RFC 6120 §4.9, RFC 6120 §6.5, RFC 6120 §13 and RFC
// 6121 §13.
//
// Start reading at TestAttacks, which has the list of topics.
package attacks
