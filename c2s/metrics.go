package c2s

import (
	"weir/stanza"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the counters of a Server.
type metrics struct {
	streams  prometheus.Counter
	open     prometheus.Gauge
	errors   *prometheus.CounterVec // condition
	limits   *prometheus.CounterVec // limit
	auth     *prometheus.CounterVec // mechanism, outcome
	refused  *prometheus.CounterVec // condition
	panics   prometheus.Counter
	nonzas   prometheus.Counter
	stanzas  *prometheus.CounterVec
	received [stanza.IQ + 1]prometheus.Counter // the children of stanzas, looked up once
}

func newMetrics(r prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "weir", Subsystem: "c2s", Name: name, Help: help})
	}
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "weir", Subsystem: "c2s", Name: name, Help: help}, labels)
	}
	m := &metrics{
		streams: counter("streams_total", "Connections accepted."),
		open: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "weir", Subsystem: "c2s", Name: "streams_open",
			Help: "Connections open now."}),
		errors:  vec("stream_errors_total", "Streams ended by an error of ours, by condition.", "condition"),
		limits:  vec("limit_hits_total", "Times a limit was reached, by limit.", "limit"),
		auth:    vec("auth_total", "SASL exchanges ended, by mechanism and outcome.", "mechanism", "outcome"),
		refused: vec("stanzas_refused_total", "Stanzas answered with an error before routing, by condition.", "condition"),
		panics:  counter("panics_total", "Panics that ended one stream."),
		nonzas:  counter("nonzas_total", "Elements taken by handlers of nonzas."),
		stanzas: vec("stanzas_received_total", "Stanzas received from bound clients, by kind.", "kind"),
	}
	m.received[stanza.Message] = m.stanzas.WithLabelValues("message")
	m.received[stanza.Presence] = m.stanzas.WithLabelValues("presence")
	m.received[stanza.IQ] = m.stanzas.WithLabelValues("iq")
	if r != nil {
		r.MustRegister(m.streams, m.open, m.errors, m.limits, m.auth, m.refused, m.panics, m.nonzas, m.stanzas)
	}
	return m
}
