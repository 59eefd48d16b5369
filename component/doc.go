// Package component owns the streams of external components (XEP-0114): programs
// beside the server that are all addresses of a domain of their own, like a gateway or a service for
// rooms. A component proves with a secret which domain it is, and from then on takes
// what is sent to that domain and sends in its name.
//
// It must not know how stanzas are routed, nor what a client's stream looks like: the
// manager (sessionmgr) gives it what is for its domain, as a [sessionmgr.Service], and takes what
// comes from it. It takes bytes from netserver and reads them with the scanner
// that clients' streams have too, in the same limits.
//
// Goroutines: netserver calls a stream on its reader goroutine, which finds stanzas. They
// are routed on another, in order, while the stream reads no more, since that may
// read storage. Stanzas for the component are appended by whoever sends them. When the
// stream ends, one more goroutine takes its presence back; of what a process before has left, a
// timer's does, some time after a start (left.go).
//
// Start reading at [New], then stream.go.
package component
