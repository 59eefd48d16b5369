// Package weir wires the server together: it makes each part, hands every part
// what it needs, starts and stops them in order. It has no logic of its own.
//
// It is called by cmd/weir, and by Go programs that embed a server: [New] makes
// one, [Server.Start] restores the sessions of the process before and opens its
// listeners, [Server.Stop] ends it. Several servers may run in one process. modules.go is the one list of modules.
//
// Start reading at [New].
package weir
