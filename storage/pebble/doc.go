// Package pebble owns the embedded driver of storage: one folder, one Pebble
// database, one committer.
//
// It must not know who stores what, and nothing above it imports Pebble's own
// package.
//
// Whoever starts the server calls [Open] and Close; everybody else uses the
// methods of storage.Store, from any goroutine. The done functions of commits
// run one after the other on a goroutine of this package, which exists only
// while there is something to commit.
//
// It implements storage.Store. What it promises:
//
//   - A batch whose done got nil is there after a power cut (durability disk)
//     or after the process was killed (durability process); every other batch is
//     there whole or not at all.
//
//   - No fault of the disk ends the process or panics. No space is
//     storage.ErrFull and passes; a failed sync or damage is storage.ErrFailed
//     and final: the folder isn't written any more, reads go on as far as they can.
//
//   - A store that was closed and is opened again is what it was, or it isn't opened
//     (closed.go). Of one that was killed only the end may be missing.
//
// Start reading at [Open], then commit.go (the way of a batch), keys.go (how
// records are laid out), tuning.go (how Pebble is used) and fence.go (the file system between Pebble and the
// disk, where faults are found). docs/decisions/02-pebble.md says why Pebble.
package pebble
