package admin

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics serves what is counted, for Prometheus, on an address of its own. It
// asks for no password: the address should be loopback or a private network's.
type Metrics struct{ server *http.Server }

// NewMetrics makes a Metrics of a registry; it starts nothing.
func NewMetrics(g prometheus.Gatherer, log *slog.Logger) *Metrics {
	errorLog := slog.NewLogLogger(log.Handler(), slog.LevelWarn)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(g, promhttp.HandlerOpts{
		ErrorLog: errorLog, MaxRequestsInFlight: 4, Timeout: 10 * time.Second,
	}))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "weir: the metrics are at /metrics\n")
	})
	return &Metrics{&http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          errorLog,
	}}
}

// Start listens on an address (host:port) and returns which one it got.
func (m *Metrics) Start(addr string) (net.Addr, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	go func() {
		if err := m.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			m.server.ErrorLog.Printf("the address for metrics failed: %v", err)
		}
	}()
	return l.Addr(), nil
}

// Stop ends it, letting answers under way finish until ctx ends.
func (m *Metrics) Stop(ctx context.Context) error {
	if err := m.server.Shutdown(ctx); err != nil {
		return errors.Join(err, m.server.Close())
	}
	return nil
}
