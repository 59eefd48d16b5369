// Package testserver owns the life of one server process in a test: building
// the binary, making accounts, starting it on free ports, finding out where it
// listens, stopping it, killing it and starting it again on the same data.
//
// It must not know what the server is made of: it speaks to it by its command
// line, its standard output and signals.
//
// A [Server] belongs to one test and is used by that test's goroutines one at
// a time; the test's cleanup stops it.
//
// It implements no specification.
//
// Start reading at [Start].
package testserver
