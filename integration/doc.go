// Package integration owns the tests that see the server from outside: the
// built binary, started in a folder of its own, spoken to over TCP.
//
// It must not know any package of the server. Its parts are testclient (a
// client that shares no parser with the server), testserver (starts and stops
// the binary), script (the language of the stream scripts), scripts (the
// scripts, one file for each thing they prove), interop (real clients) and torture
// (a program: many clients, a nemesis and a checker of the promises).
//
// Nothing calls it; go test runs it.
//
// The scripts prove what RFC 6120 and RFC 6121 ask of a server.
//
// Start reading with any file in scripts, then script's package comment.
package integration
