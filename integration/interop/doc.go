// Package interop owns the proof that clients by other people get in and do
// their work: programs from Debian and by npm in run.sh, Go libraries in its tests.
//
// It must not know any package of the server: it drives the built binary.
//
// run.sh calls the scenarios one after the other and is itself called by .ci/run;
// the tests run with go test as all others.
//
// The clients implement RFC 6120 and RFC 6121 as their authors read them.
//
// Start reading with run.sh.
package interop
