package netserver

import (
	"crypto/tls"
	"log/slog"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// stage is where a connection is in its life, for the gauge.
type stage int

const (
	stageNew stage = iota // no handler yet, perhaps in its TLS handshake
	stagePlain
	stageTLS
	stageClosing
	stages
)

var stageNames = [stages]string{"new", "plain", "tls", "closing"}

// metrics are what a Server counts. They are plain atomics, which Prometheus
// reads when it asks: counting must cost nothing on the way of a message.
type metrics struct {
	bytesIn, bytesOut, drains, blocked  atomic.Int64
	accepted, refused, acceptErrors     atomic.Int64
	stalls, overflows, panics, injected atomic.Int64
	states                              [stages]atomic.Int64
	tlsOK                               [5]atomic.Int64 // by version from 1.0 on, the last for others
	tlsFailed                           [5]atomic.Int64
	tlsResumed                          atomic.Int64
}

// move changes the stage that a connection counts under; its mu is held.
func (m *metrics) move(from *stage, to stage) {
	m.states[*from].Add(-1)
	m.states[to].Add(1)
	*from = to
}

func (m *metrics) handshake(st tls.ConnectionState, err error) {
	i := min(st.Version-tls.VersionTLS10, 4) // 0 (none chosen yet) wraps to 4
	if err == nil {
		m.tlsOK[i].Add(1)
		if st.DidResume {
			m.tlsResumed.Add(1)
		}
	} else {
		m.tlsFailed[i].Add(1)
	}
}

func (m *metrics) register(r prometheus.Registerer, log *slog.Logger) {
	if r == nil {
		return
	}
	counters := []struct {
		name, help string
		v          *atomic.Int64
	}{
		{"accepted_total", "Connections accepted.", &m.accepted},
		{"refused_total", "Connections refused because their address had too many.", &m.refused},
		{"accept_errors_total", "Errors of accept.", &m.acceptErrors},
		{"read_bytes_total", "Bytes read from sockets.", &m.bytesIn},
		{"written_bytes_total", "Bytes written to sockets.", &m.bytesOut},
		{"drains_total", "Batches written.", &m.drains},
		{"blocked_total", "Batches for which the kernel had no room at once.", &m.blocked},
		{"stalls_total", "Connections ended because the peer did not read.", &m.stalls},
		{"output_limit_total", "Times that an output limit refused to append.", &m.overflows},
		{"starttls_injections_total", "Connections ended for bytes in the clear behind a request for TLS.", &m.injected},
		{"tls_resumed_total", "TLS handshakes that resumed a session by a ticket.", &m.tlsResumed},
		{"panics_total", "Panics of handlers.", &m.panics},
	}
	var all []prometheus.Collector
	for _, c := range counters {
		all = append(all, prometheus.NewCounterFunc(opts(c.name, c.help, nil), load(c.v)))
	}
	for i, name := range stageNames {
		l := prometheus.Labels{"state": name}
		o := prometheus.GaugeOpts(opts("connections", "Connections by state.", l))
		all = append(all, prometheus.NewGaugeFunc(o, load(&m.states[i])))
	}
	for i, v := range [...]string{"1.0", "1.1", "1.2", "1.3", "none"} {
		for result, a := range map[string]*atomic.Int64{"ok": &m.tlsOK[i], "failed": &m.tlsFailed[i]} {
			l := prometheus.Labels{"version": v, "result": result}
			all = append(all, prometheus.NewCounterFunc(opts("tls_handshakes_total", "TLS handshakes by version and result.", l), load(a)))
		}
	}
	for _, c := range all {
		if err := r.Register(c); err != nil {
			log.Error("metric not registered", "err", err)
		}
	}
}

func opts(name, help string, l prometheus.Labels) prometheus.CounterOpts {
	return prometheus.CounterOpts{Namespace: "weir", Subsystem: "net", Name: name, Help: help, ConstLabels: l}
}

func load(v *atomic.Int64) func() float64 { return func() float64 { return float64(v.Load()) } }
