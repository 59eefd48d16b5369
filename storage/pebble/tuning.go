package pebble

import (
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// What Pebble is told, measured with BenchmarkPipeline (docs/performance.md).
// Nearly all that is written is the archive: records of 400 bytes of a thousand
// accounts in turn, so each compaction covers all accounts.
const (
	// separateFrom is how long a value is that goes to a blob file when its memtable is
	// flushed. The tables then hold keys and short values only, a tenth of
	// the bytes, and compactions move those. Without it each compaction moves the
	// archive, more often the larger it is.
	separateFrom = 128
	// blobsDeep is over how many blob files the records of one stretch of keys may be spread
	// before a compaction writes the values again, next to each other. More
	// makes writing cheaper, and the page of a quiet account as many reads.
	blobsDeep = 100
	// rewriteAge and garbage: a blob file so old of which so much was deleted is written again.
	rewriteAge = 5 * time.Minute
	garbage    = 0.3
	// tableBytes is the size of a table with the values it refers to. With
	// Pebble's 2 MiB most tables would hold 200 KiB, and making files would be a
	// large part of the work.
	tableBytes = 16 << 20
	// tablesAtTop is after how many flushes their tables are merged into the next
	// level: a read looks into so many, and each merge moves the keys of that level.
	// 16 in place of 8 took a third off what merging costs under BenchmarkDurable.
	tablesAtTop = 16
	// memTables is how many memtables there are at most: one that fills, one that
	// is flushed, and one more so that commits need not wait for the flush.
	memTables = 3
)

// pebbleOptions says how Pebble is used.
func (s *Store) pebbleOptions(o Options) *pebble.Options {
	po := &pebble.Options{
		FS:                          s.fence,
		Lock:                        s.lock,
		CacheSize:                   o.CacheBytes,
		MemTableSize:                uint64(o.MemTable),
		MemTableStopWritesThreshold: memTables,
		L0CompactionThreshold:       tablesAtTop,
		L0StopWritesThreshold:       64,
		MaxOpenFiles:                200,
		Logger:                      &logger{log: s.log, fatal: func(err error) { s.fail(err, true) }},
		EventListener:               s.events(),
		FormatMajorVersion:          pebble.FormatValueSeparation,
	}
	po.TargetFileSizes[0] = tableBytes
	po.Experimental.ValueSeparationPolicy = func() pebble.ValueSeparationPolicy {
		return pebble.ValueSeparationPolicy{
			Enabled: true, MinimumSize: separateFrom, MaxBlobReferenceDepth: blobsDeep,
			RewriteMinimumAge: rewriteAge, TargetGarbageRatio: garbage,
		}
	}
	return po
}
