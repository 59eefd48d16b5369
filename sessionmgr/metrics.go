package sessionmgr

import (
	"weir/stanza"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the counters of this package.
type metrics struct {
	opened       prometheus.Counter
	bound        prometheus.Counter
	ends         *prometheus.CounterVec
	in           [stanza.IQ + 1]prometheus.Counter
	owed         prometheus.Counter
	commitErrors prometheus.Counter
	panics       prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "weir", Subsystem: "session", Name: name, Help: help})
	}
	ms := &metrics{
		opened:       counter("opened_total", "Sessions made, one for each connection."),
		bound:        counter("bound_total", "Resources bound."),
		owed:         counter("owed_total", "Messages stored for accounts with nobody online."),
		commitErrors: counter("commit_errors_total", "Batches that could not be kept."),
		panics:       counter("handler_panics_total", "Panics in handlers."),
		ends: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "weir", Subsystem: "session",
			Name: "ended_total", Help: "Sessions ended, by cause."}, []string{"cause"}),
	}
	stanzas := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "weir", Subsystem: "session",
		Name: "stanzas_received_total", Help: "Stanzas of clients, by kind."}, []string{"kind"})
	ms.in[stanza.Message] = stanzas.WithLabelValues("message")
	ms.in[stanza.Presence] = stanzas.WithLabelValues("presence")
	ms.in[stanza.IQ] = stanzas.WithLabelValues("iq")
	if reg != nil {
		reg.MustRegister(ms.opened, ms.bound, ms.owed, ms.commitErrors, ms.panics, ms.ends, stanzas)
	}
	return ms
}

// stanzas counts one stanza of a client.
func (ms *metrics) stanzas(k stanza.Kind) { ms.in[k].Inc() }

func (ms *metrics) ended(c CauseCode) { ms.ends.WithLabelValues(c.String()).Inc() }
