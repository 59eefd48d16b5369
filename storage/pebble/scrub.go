package pebble

import (
	"bytes"
	"context"

	"weir/storage"
)

// Scrub rewrites the files with a table's records: what was overwritten or deleted
// there before is in no file of the store afterwards, as soon as the old files are
// removed, which is at the latest when the store is closed. Logs of this process may
// still have what it has itself overwritten until they are used again. Copies made
// before keep what they have. It takes as long as the tables that share files
// with this one are large, a moment as a rule.
func (s *Store) Scrub(ctx context.Context, t storage.Table) error {
	return s.read(ctx, func() error {
		if err := s.Err(); err != nil {
			return err
		}
		if err := s.db.Flush(); err != nil {
			return err
		}
		begin := appendTable(nil, t.Kind, t.Name)
		if err := s.db.Compact(ctx, begin, endOf(bytes.Clone(begin)), false); err != nil {
			return err
		}
		return s.Err()
	})
}
