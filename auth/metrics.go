package auth

import (
	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts what this package does. It works without a registry too.
type metrics struct {
	exchanges *prometheus.CounterVec // by mechanism and result
	throttled prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, s *Service) (*metrics, error) {
	m := &metrics{
		exchanges: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weir_auth_exchanges_total",
			Help: "SASL exchanges that came to an end, by mechanism and by success or the condition of RFC 6120 §6.5.",
		}, []string{"mechanism", "result"}),
		throttled: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "weir_auth_throttled_total",
			Help: "SASL exchanges refused because their address had too many failed logins.",
		}),
	}
	if reg == nil {
		return m, nil
	}
	all := []prometheus.Collector{
		m.exchanges, m.throttled,
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "weir_auth_key_derivations_total",
			Help: "Derivations of keys from passwords (PBKDF2): PLAIN logins and passwords set.",
		}, func() float64 { return float64(s.pool.done.Load()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "weir_auth_key_derivations_waiting",
			Help: "Derivations of keys under way or waiting for a core, without bulk imports.",
		}, func() float64 { return float64(s.pool.waiting.Load()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "weir_auth_throttle_addresses",
			Help: "Addresses with failed logins that are remembered.",
		}, func() float64 { return float64(s.throttle.size()) }),
	}
	for _, c := range all {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// ended counts an exchange. Mechanisms that don't exist share one label.
func (m *metrics) ended(mechanism, result string) {
	m.exchanges.WithLabelValues(mechanism, result).Inc()
}
