// Package performance measures a whole server from outside: its CPU time for a
// message relayed between two clients, and its memory for an idle session. The
// figures and how to get them again are in docs/performance.md.
//
// It owns nothing but benchmarks. The server runs in a process of its own (the
// test binary started again), so that what is measured is the server and not the
// clients. Nothing here asserts on time.
//
// Start reading at BenchmarkRelay.
package performance
