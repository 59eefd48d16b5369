// Package admin owns the ways in for the admin: a control socket in the data
// folder that speaks HTTP and JSON, so that the weir command and curl can use
// it, and an address with metrics for Prometheus.
//
// It must not know storage drivers, streams or sockets of clients: it calls the
// packages that own what is asked for. Its handlers run on goroutines of
// net/http and may read storage. The socket lies in a folder that only the
// server's user may enter, has mode 0600, and asks the kernel who is at the
// other end.
//
// Start reading at [Control] and the table of routes in routes.go.
package admin
