package storage

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
)

// Table names the records of one owner: what DeleteAccount and the tools that
// check and export a store are given.
type Table struct {
	Kind Kind
	Name string
}

// Accounts calls fn for each account that has records in the table, in order,
// beginning after the account named after, until fn returns false.
func (t Table) Accounts(ctx context.Context, st Store, after string, fn func(account string) bool) error {
	return st.Accounts(ctx, t.Kind, t.Name, after, fn)
}

// AccountNames returns the accounts that have records in the table, in order.
func (t Table) AccountNames(ctx context.Context, st Store) (all []string, err error) {
	err = t.Accounts(ctx, st, "", func(account string) bool {
		all = append(all, account)
		return true
	})
	return all, err
}

// DeleteAccount adds to b what removes the account from the tables.
func DeleteAccount(b *Batch, account string, tables ...Table) {
	for _, t := range tables {
		k := Key{Kind: t.Kind, Table: t.Name, Account: account}
		if t.Kind == KindKeyVal {
			b.Delete(k)
			continue
		}
		b.DeleteRange(k, "")
	}
}

// KeyVal keeps one record for each account.
type KeyVal struct {
	store Store
	table string
}

// NewKeyVal returns the records of a table.
func NewKeyVal(st Store, table string) KeyVal { return KeyVal{st, table} }

// Table names the records.
func (kv KeyVal) Table() Table { return Table{KindKeyVal, kv.table} }

func (kv KeyVal) key(account string) Key {
	return Key{Kind: KindKeyVal, Table: kv.table, Account: account}
}

// Get returns the account's record or ErrNotFound.
func (kv KeyVal) Get(ctx context.Context, account string) ([]byte, error) {
	return kv.store.Get(ctx, kv.key(account))
}

// Set replaces the account's record.
func (kv KeyVal) Set(b *Batch, account string, rec []byte) { b.Put(kv.key(account), rec) }

// Delete removes the account's record.
func (kv KeyVal) Delete(b *Batch, account string) { b.Delete(kv.key(account)) }

// Map keeps many records of an account, by key.
type Map struct {
	store Store
	table string
}

// NewMap returns the records of a table.
func NewMap(st Store, table string) Map { return Map{st, table} }

// Table names the records.
func (m Map) Table() Table { return Table{KindMap, m.table} }

func (m Map) key(account, item string) Key {
	return Key{Kind: KindMap, Table: m.table, Account: account, Item: item}
}

// Get returns one record or ErrNotFound.
func (m Map) Get(ctx context.Context, account, key string) ([]byte, error) {
	return m.store.Get(ctx, m.key(account, key))
}

// All calls fn for the account's records in order of their keys until fn
// returns false. rec is valid during the call.
func (m Map) All(ctx context.Context, account string, fn func(key string, rec []byte) bool) error {
	return m.store.Scan(ctx, m.key(account, ""), fn)
}

// From is All beginning with the first key that is not below the one given.
func (m Map) From(ctx context.Context, account, key string, fn func(key string, rec []byte) bool) error {
	return m.store.Scan(ctx, m.key(account, key), fn)
}

// Put replaces one record.
func (m Map) Put(b *Batch, account, key string, rec []byte) { b.Put(m.key(account, key), rec) }

// Delete removes one record.
func (m Map) Delete(b *Batch, account, key string) { b.Delete(m.key(account, key)) }

// Clear removes all records of the account.
func (m Map) Clear(b *Batch, account string) { b.DeleteRange(m.key(account, ""), "") }

// Log keeps records of an account in the order of their ids (see IDs).
type Log struct {
	store Store
	table string
}

// NewLog returns the records of a table.
func NewLog(st Store, table string) Log { return Log{st, table} }

// Table names the records.
func (l Log) Table() Table { return Table{KindLog, l.table} }

func (l Log) key(account string, id uint64) Key {
	return Key{Kind: KindLog, Table: l.table, Account: account, Item: LogItem(id)}
}

// LogItem is the Item of a log's record: the id in 8 bytes, big endian.
func LogItem(id uint64) string {
	var a [8]byte
	binary.BigEndian.PutUint64(a[:], id)
	return string(a[:])
}

// LogID is the id that an Item of a log stands for.
func LogID(item string) (uint64, error) {
	if len(item) != 8 {
		return 0, fmt.Errorf("%w: a log's item has 8 bytes, not %d", ErrInvalid, len(item))
	}
	return binary.BigEndian.Uint64([]byte(item)), nil
}

// Append adds a record. Its id should be above all of the account's others.
func (l Log) Append(b *Batch, account string, id uint64, rec []byte) {
	b.Put(l.key(account, id), rec)
}

// Get returns one record or ErrNotFound.
func (l Log) Get(ctx context.Context, account string, id uint64) ([]byte, error) {
	return l.store.Get(ctx, l.key(account, id))
}

// Scan calls fn for the records with ids above after, oldest first, until fn
// returns false. To begin with the first record give 0, which is no id.
func (l Log) Scan(ctx context.Context, account string, after uint64, fn func(id uint64, rec []byte) bool) error {
	if after == math.MaxUint64 {
		return nil
	}
	return l.decode(ctx, l.store.Scan, l.key(account, after+1), fn)
}

// ScanReverse calls fn for the records with ids below before, newest first,
// until fn returns false. To begin with the last record give math.MaxUint64,
// which is no id.
func (l Log) ScanReverse(ctx context.Context, account string, before uint64, fn func(id uint64, rec []byte) bool) error {
	return l.decode(ctx, l.store.ScanReverse, l.key(account, before), fn)
}

// decode runs a scan with ids in place of items.
func (l Log) decode(ctx context.Context, scan func(context.Context, Key, func(string, []byte) bool) error,
	k Key, fn func(uint64, []byte) bool) error {
	var bad error
	err := scan(ctx, k, func(item string, rec []byte) bool {
		id, err := LogID(item)
		if err != nil {
			bad = err
			return false
		}
		return fn(id, rec)
	})
	if err == nil {
		err = bad
	}
	return err
}

// Last returns the newest record and a copy of it, or ErrNotFound.
func (l Log) Last(ctx context.Context, account string) (id uint64, rec []byte, err error) {
	err = l.ScanReverse(ctx, account, math.MaxUint64, func(i uint64, r []byte) bool {
		id, rec = i, append([]byte{}, r...)
		return false
	})
	if err == nil && rec == nil {
		err = fmt.Errorf("%w: the log is empty", ErrNotFound)
	}
	return id, rec, err
}

// Trim removes the records with ids up to and including upTo. Trim in steps of
// many records: it is a range deletion (see Batch.DeleteRange).
func (l Log) Trim(b *Batch, account string, upTo uint64) {
	until := ""
	if upTo < math.MaxUint64 {
		until = LogItem(upTo + 1)
	}
	b.DeleteRange(l.key(account, 0), until)
}

// Delete removes one record.
func (l Log) Delete(b *Batch, account string, id uint64) { b.Delete(l.key(account, id)) }

// Clear removes all records of the account.
func (l Log) Clear(b *Batch, account string) { l.Trim(b, account, math.MaxUint64) }
