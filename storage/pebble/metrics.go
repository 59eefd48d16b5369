package pebble

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts what the store does. All methods work on nil: not registered.
type metrics struct {
	reg     prometheus.Registerer
	all     []prometheus.Collector
	batches prometheus.Counter
	groups  prometheus.Counter
	bytes   prometheus.Counter
	seconds prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer, s *Store) *metrics {
	if reg == nil {
		return nil
	}
	m := &metrics{
		reg: reg,
		batches: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "weir_storage_batches_total", Help: "Batches committed."}),
		groups: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "weir_storage_groups_total", Help: "Groups of batches that shared one sync."}),
		bytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "weir_storage_committed_bytes_total", Help: "Bytes of committed batches."}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "weir_storage_commit_seconds", Help: "From taking a group until it was durable.",
			Buckets: prometheus.ExponentialBuckets(0.00005, 4, 9)}),
	}
	m.all = []prometheus.Collector{m.batches, m.groups, m.bytes, m.seconds,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "weir_storage_pending_bytes", Help: "Bytes given to commit and not yet answered."},
			func() float64 { return float64(s.Pending()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "weir_storage_failed", Help: "1 once the store has failed and commits nothing any more."},
			func() float64 {
				if s.Err() != nil {
					return 1
				}
				return 0
			}),
	}
	for _, c := range m.all {
		if err := reg.Register(c); err != nil {
			s.log.Warn("storage: a metric is not registered", "err", err)
		}
	}
	return m
}

// committed counts a group.
func (m *metrics) committed(g *group) {
	if m == nil {
		return
	}
	m.groups.Inc()
	m.batches.Add(float64(len(g.reqs)))
	m.bytes.Add(float64(g.size))
	m.seconds.Observe(time.Since(g.began).Seconds())
}

// unregister makes room for the next store on the same registry.
func (m *metrics) unregister() {
	if m == nil {
		return
	}
	for _, c := range m.all {
		m.reg.Unregister(c)
	}
}
