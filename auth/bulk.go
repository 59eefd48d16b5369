package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"time"

	"weir/jid"
	"weir/storage"
)

const (
	// bulkBatch is how many accounts are committed at once.
	bulkBatch = 128
	// bulkErrors is how many refused entries are kept in a [BulkError].
	bulkErrors = 1000
)

// EntryError says why one entry given to CreateMany made no account.
type EntryError struct {
	N   int     // the first entry is 1
	JID jid.JID // zero when next couldn't tell
	Err error   // ErrExists, ErrWeakPassword, what next said, …
}

// Error names the entry by its number and address.
func (e EntryError) Error() string {
	if e.JID.IsZero() {
		return fmt.Sprintf("entry %d: %v", e.N, e.Err)
	}
	return fmt.Sprintf("entry %d (%s): %v", e.N, e.JID, e.Err)
}

// Unwrap returns the reason.
func (e EntryError) Unwrap() error { return e.Err }

// BulkError is returned by CreateMany when some entries made no account. The
// others did.
type BulkError struct {
	Created int
	Failed  int
	Entries []EntryError // the first 1,000 that failed, in no strict order
}

// Error tells the figures and the first reason.
func (e *BulkError) Error() string {
	return fmt.Sprintf("auth: %d accounts created, %d entries refused, the first: %v", e.Created, e.Failed, e.Entries[0])
}

// SkipEntry is what next returns for an entry that can't be read while those
// behind it can: the entry counts as refused and the work goes on.
type SkipEntry struct{ Err error }

// Error returns the reason.
func (e SkipEntry) Error() string { return e.Err.Error() }

// Unwrap returns the reason.
func (e SkipEntry) Unwrap() error { return e.Err }

// bulkJob is one entry on its way.
type bulkJob struct {
	n        int
	jid      jid.JID
	password string
	record   *record
	err      error
}

// CreateMany adds many accounts with several key derivations at once and few
// commits; progress is called with the number of entries dealt with so far. next
// is called on another goroutine, never twice at once; it returns io.EOF at the
// end, a SkipEntry for an entry to leave out, and any other error to stop. What
// was read before a stop is still made.
//
// Entries that make no account (the name exists, also earlier in the same list;
// the password is too weak) are left out and reported in a *BulkError. With both
// hashes at 10,000 iterations a core makes about 330 accounts a second; with
// SHA1Iterations at 4,096 about 470, without SHA1 about 650.
func (s *Service) CreateMany(ctx context.Context, next func() (jid.JID, string, error), progress func(n int)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	workers := runtime.GOMAXPROCS(0)
	jobs, results := make(chan bulkJob, workers), make(chan bulkJob, workers)
	var stop error // read after results is closed
	var working sync.WaitGroup
	working.Add(1)
	go func() {
		defer working.Done()
		defer close(jobs)
		stop = feed(ctx, next, jobs)
	}()
	for range workers {
		working.Add(1)
		go func() {
			defer working.Done()
			for job := range jobs {
				job.record, job.err = s.bulkRecord(ctx, &job)
				results <- job
			}
		}()
	}
	go func() {
		working.Wait()
		close(results)
	}()

	report := &BulkError{}
	if err := s.collect(ctx, results, report, progress); err != nil {
		cancel()
		for range results { // let the workers end
		}
		return err
	}
	if report.Failed > 0 {
		return errors.Join(stop, report)
	}
	return stop
}

// feed reads entries until the end, an error or the context's end.
func feed(ctx context.Context, next func() (jid.JID, string, error), jobs chan<- bulkJob) error {
	for n := 1; ; n++ {
		j, password, err := next()
		var skip SkipEntry
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && !errors.As(err, &skip):
			return err
		}
		select {
		case jobs <- bulkJob{n: n, jid: j, password: password, err: err}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// bulkRecord does the work for one entry that needs no lock.
func (s *Service) bulkRecord(ctx context.Context, job *bulkJob) (*record, error) {
	if job.err != nil {
		return nil, job.err
	}
	j, err := account(job.jid)
	if err != nil {
		return nil, err
	}
	job.jid = j
	password, err := s.newPassword(job.password)
	if err != nil {
		return nil, err
	}
	if r, err := s.fetch(ctx, j); err != nil {
		return nil, err
	} else if r != nil {
		return nil, ErrExists
	}
	fresh, err := s.freshKeys(ctx, password, s.pool.wait)
	return &record{created: time.Now(), keys: fresh}, err
}

// collect commits the results in batches.
func (s *Service) collect(ctx context.Context, results <-chan bulkJob, report *BulkError, progress func(n int)) error {
	done := 0
	var batch []bulkJob
	flush := func() error {
		if err := s.commitJobs(ctx, batch, report); err != nil {
			return err
		}
		batch = batch[:0]
		if progress != nil {
			progress(done)
		}
		return nil
	}
	for job := range results {
		done++
		batch = append(batch, job)
		if len(batch) == bulkBatch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// commitJobs makes the accounts of one batch durable together.
func (s *Service) commitJobs(ctx context.Context, jobs []bulkJob, report *BulkError) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	var batch storage.Batch
	var made []jid.JID
	seen := make(map[jid.JID]bool, len(jobs))
	for _, job := range jobs {
		err := job.err
		if err == nil {
			old, fetchErr := s.fetch(ctx, job.jid)
			if err = fetchErr; err == nil && (old != nil || seen[job.jid]) {
				err = ErrExists
			}
		}
		if fatal := s.store.Err(); fatal != nil {
			return fatal
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			report.Failed++
			if len(report.Entries) < bulkErrors {
				report.Entries = append(report.Entries, EntryError{N: job.n, JID: job.jid, Err: err})
			}
			continue
		}
		seen[job.jid] = true
		s.accounts.Put(&batch, job.jid.Domain(), job.jid.Local(), job.record.encode())
		made = append(made, job.jid)
	}
	if len(made) == 0 {
		return nil
	}
	err := s.commit(&batch)
	for _, j := range made {
		s.cache.forget(j)
	}
	if err == nil {
		report.Created += len(made)
	}
	return err
}
