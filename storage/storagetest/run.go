package storagetest

import (
	"testing"

	"weir/storage"
)

// Open opens a store for a test. The first call in a test makes a new, empty
// store; each further one, after the store was closed, opens the same again.
// It fails the test if it can't.
type Open func(t *testing.T) storage.Store

// Run runs all tests. open is called once at the start of each and returns
// what opens that test's own store.
func Run(t *testing.T, open func(t *testing.T) Open) {
	tests := []struct {
		name string
		run  func(*testing.T, Open)
	}{
		{"KeyVal", testKeyVal},
		{"Map", testMap},
		{"Log", testLog},
		{"LogEnds", testLogEnds},
		{"AnyBytes", testAnyBytes},
		{"Accounts", testAccounts},
		{"DeleteAccount", testDeleteAccount},
		{"RangeDeletes", testRangeDeletes},
		{"OpsInOrder", testOpsInOrder},
		{"ScanStopsAndResumes", testScanStops},
		{"ScanIsASnapshot", testSnapshot},
		{"ScanPanic", testScanPanic},
		{"ReadsAreCopies", testCopies},
		{"InvalidKeys", testInvalid},
		{"EmptyBatch", testEmptyBatch},
		{"BigBatch", testBigBatch},
		{"Context", testContext},
		{"Atomic", testAtomic},
		{"DoneInOrderOnce", testDoneInOrder},
		{"DoneMayCommit", testDoneMayCommit},
		{"DonePanic", testDonePanic},
		{"Concurrent", testConcurrent},
		{"Reopen", testReopen},
		{"CloseWaits", testCloseWaits},
		{"AfterClose", testAfterClose},
		{"Model", testModel},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, open(t)) })
	}
}

// opened opens the store and closes it at the end of the test.
func opened(t *testing.T, open Open) storage.Store {
	t.Helper()
	st := open(t)
	t.Cleanup(func() { _ = st.Close() }) // it may be closed by then
	return st
}

// commit commits what fill adds to a batch.
func commit(t *testing.T, st storage.Store, fill func(b *storage.Batch)) {
	t.Helper()
	var b storage.Batch
	fill(&b)
	if err := storage.Commit(t.Context(), st, &b); err != nil {
		t.Fatalf("commit: %v", err)
	}
}
