// Package sessiontest owns what tests of modules need: a real session manager on
// a store in memory, and clients without sockets that keep what they are sent.
//
// It must not know any module. It is called from the goroutine of a test or an
// example; being for tests only, it panics where a test can't go on. It implements
// no specification of its own.
//
// Start reading at [New].
package sessiontest
