// Package storagetest owns the tests that every driver of storage must pass.
//
// It must not know any driver: a driver's own tests call [Run] with a function
// that opens one of its stores. It runs on the goroutine of the test.
//
// What is tested is the contract in the comments of storage.Store. Faults of
// disks differ from driver to driver and are tested there.
//
// Start reading at [Run].
package storagetest
