package sessionmgr

import (
	"context"

	"weir/stanza"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the counters of this package.
type metrics struct {
	opened       prometheus.Counter
	bound        prometheus.Counter
	ends         *prometheus.CounterVec
	in           [stanza.IQ + 1]prometheus.Counter
	out          prometheus.Counter
	stale        prometheus.Counter
	owed         prometheus.Counter
	commitErrors prometheus.Counter
	panics       prometheus.Counter
	slowed       prometheus.Counter

	enabled    prometheus.Counter
	hibernated prometheus.Counter
	restored   prometheus.Counter
	resumes    *prometheus.CounterVec // outcome
	resumeAge  prometheus.Histogram
	redone     prometheus.Counter
	pulled     prometheus.Counter
	duplicates prometheus.Counter
	rested     prometheus.Counter
	acksOut    prometheus.Counter
	acksAsked  prometheus.Counter
	acksIn     prometheus.Counter
	commitTime prometheus.Histogram
	commitSize prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "weir", Subsystem: "session", Name: name, Help: help})
	}
	ms := &metrics{
		opened:       counter("opened_total", "Sessions made, one for each connection."),
		bound:        counter("bound_total", "Resources bound."),
		out:          counter("stanzas_sent_total", "Stanzas given to the links of clients."),
		stale:        counter("stale_total", "Stanzas dropped of a connection that its session had left by a resumption; their clients send them again."),
		owed:         counter("owed_total", "Messages stored for accounts with nobody online."),
		commitErrors: counter("commit_errors_total", "Batches that could not be kept."),
		panics:       counter("handler_panics_total", "Panics in handlers."),
		ends: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "weir", Subsystem: "session",
			Name: "ended_total", Help: "Sessions ended, by cause."}, []string{"cause"}),
	}
	ms.slowed = counter("bindings_slowed_total", "Bindings that had to wait since clients of their account replace each other again and again.")
	ms.enabled = counter("acks_enabled_total", "Sessions that turned stream management on.")
	ms.hibernated = counter("hibernated_total", "Sessions whose link was lost and that were kept.")
	ms.restored = counter("restored_total", "Sessions of an earlier process that were brought back.")
	ms.redone = counter("redelivered_total", "Stanzas sent again after a resumption.")
	ms.pulled = counter("pulled_total", "Messages delivered from the log, for the first time on a stream.")
	ms.rested = counter("inactive_held_total", "Stanzas that were held back from a client that is inactive, or dropped.")
	ms.duplicates = counter("duplicates_dropped_total", "Messages that a client sent again in a new session, and that had been handled.")
	ms.acksOut = counter("acks_sent_total", "Acknowledgements sent to clients.")
	ms.acksAsked = counter("acks_requested_total", "Acknowledgements asked of clients.")
	ms.acksIn = counter("acks_received_total", "Acknowledgements of clients.")
	ms.resumes = prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "weir", Subsystem: "session",
		Name: "resumes_total", Help: "Attempts to resume a stream, by outcome."}, []string{"outcome"})
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "weir", Subsystem: "session", Name: name, Help: help, Buckets: buckets})
	}
	ms.resumeAge = histogram("resume_age_seconds", "How long resumed sessions had no link.", []float64{.1, 1, 5, 15, 60, 300, 900, 3600})
	ms.commitTime = histogram("commit_seconds", "From a batch's commit until it was durable.", []float64{.0002, .0005, .001, .002, .005, .01, .05, .2, 1})
	ms.commitSize = histogram("commit_entries", "Entries of a batch.", []float64{1, 4, 16, 64, 256, 1024, 4096})
	stanzas := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "weir", Subsystem: "session",
		Name: "stanzas_received_total", Help: "Stanzas of clients, by kind."}, []string{"kind"})
	ms.in[stanza.Message] = stanzas.WithLabelValues("message")
	ms.in[stanza.Presence] = stanzas.WithLabelValues("presence")
	ms.in[stanza.IQ] = stanzas.WithLabelValues("iq")
	if reg != nil {
		reg.MustRegister(ms.opened, ms.bound, ms.out, ms.stale, ms.owed, ms.commitErrors, ms.panics, ms.ends, ms.slowed, stanzas,
			ms.enabled, ms.hibernated, ms.restored, ms.redone, ms.pulled, ms.duplicates, ms.rested, ms.acksOut, ms.acksAsked, ms.acksIn,
			ms.resumes, ms.resumeAge, ms.commitTime, ms.commitSize)
	}
	return ms
}

// resumeFailed counts a resumption that failed by no fault of its client, and
// returns what that is told.
func (m *Manager) resumeFailed(ctx context.Context, err error) *ResumeError {
	m.metrics.resumes.WithLabelValues("failed").Inc()
	return &ResumeError{Reason: m.handlingError(ctx, err)}
}

// stanzas counts one stanza of a client.
func (ms *metrics) stanzas(k stanza.Kind) { ms.in[k].Inc() }

func (ms *metrics) ended(c CauseCode) { ms.ends.WithLabelValues(c.String()).Inc() }
