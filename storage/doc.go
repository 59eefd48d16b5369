// Package storage owns the three kinds of record and the batch: what is
// written, and the contract of the drivers that write it.
//
// It must not know who stores what: a record is bytes, encoded by the package
// that owns it, and a table is a name which that package gives. It knows no
// driver either; drivers are its children and whoever starts the server picks one.
//
// Its callers are auth, roster, sessionmgr and the modules, from any goroutine.
// Reads may wait for a disk, so a goroutine that must not block doesn't read
// here. [Store.Commit] never blocks; what it calls back runs on a goroutine of
// the driver.
//
// It implements no specification of its own. An account is one range of each
// table, so that deleting an account, or moving it to another node, touches
// nothing of others.
//
// Start reading at [Store], then [KeyVal], [Map] and [Log], which are how the
// other packages use it; [IDs] makes the keys of a log. A driver passes the
// tests of storage/storagetest.
package storage
