// Package config owns the file format: what an admin writes becomes the Options
// of the packages that obey them, and the annotated default file is made from
// the same structs.
//
// It must not know running objects: it makes values. It is called at start by
// cmd/weir and by the root package, on one goroutine.
//
// Start reading at [Config].
package config
