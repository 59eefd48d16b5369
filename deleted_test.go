package weir_test

import (
	"slices"
	"testing"

	"weir"
	"weir/config"
	"weir/jid"
	"weir/storage"
)

// TestDeletedAccountLeavesNothing: no table of a module has a record of an
// account that was deleted, and those of others stay.
func TestDeletedAccountLeavesNothing(t *testing.T) {
	cfg := config.Default()
	cfg.Data = t.TempDir()
	s, err := weir.Open(t.Context(), cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop(t.Context())
	accounts := []string{"juliet@localhost", "romeo@localhost"}
	tables := map[string]storage.Kind{"last": 'k', "blocking": 'k', "vcard": 'k', "private": 'm', "archive-prefs": 'k', "cursor": 'k'}
	var b storage.Batch
	for _, account := range accounts {
		if err := s.Auth.Create(t.Context(), jid.MustParse(account), "a password of some length"); err != nil {
			t.Fatal(err)
		}
		for table, kind := range tables {
			k := storage.Key{Kind: kind, Table: table, Account: account}
			if kind == storage.KindMap {
				k.Item = "urn:x a"
			}
			b.Put(k, []byte{1})
		}
	}
	if err := storage.Commit(t.Context(), s.Store, &b); err != nil {
		t.Fatal(err)
	}
	if err := s.Auth.Delete(t.Context(), jid.MustParse(accounts[0])); err != nil {
		t.Fatal(err)
	}
	for table, kind := range tables {
		var left []string
		err := s.Store.Accounts(t.Context(), kind, table, "", func(account string) bool {
			left = append(left, account)
			return true
		})
		if err != nil || !slices.Equal(left, accounts[1:]) {
			t.Errorf("%s has records of %q, %v", table, left, err)
		}
	}
}
