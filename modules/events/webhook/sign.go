package webhook

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Sign returns the signature of a post in hexadecimal digits: HMAC-SHA256 over the
// timestamp, a dot and the body (RFC 2104).
func Sign(secret []byte, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(timestamp + "."))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// How long a secret is, in bytes.
const (
	minSecret = 16
	maxSecret = 4096
)

// readSecret reads the file with the secret. One that others may read is told in the log.
func readSecret(name string, log *slog.Logger) ([]byte, error) {
	if name == "" {
		return nil, errors.New("webhook: secret_file is missing: posts are signed with what is in that file")
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("webhook: the secret: %w", err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = errors.New("it is no file")
	}
	var b []byte
	if err == nil {
		b, err = io.ReadAll(io.LimitReader(f, maxSecret+1))
	}
	if err != nil {
		return nil, fmt.Errorf("webhook: the secret in %s: %w", name, err)
	}
	if b = bytes.TrimRight(b, "\r\n"); len(b) < minSecret || len(b) > maxSecret || bytes.ContainsAny(b, "\r\n") {
		return nil, fmt.Errorf("webhook: the secret in %s has to be one line of %d to %d characters", name, minSecret, maxSecret)
	}
	if mode := fi.Mode().Perm(); mode&0o077 != 0 {
		log.Warn("other users may read the secret of the webhook: chmod 600", "file", name, "mode", fmt.Sprintf("%04o", mode))
	}
	return b, nil
}

// CheckSecret reads the file with the secret and says what is wrong with it.
func CheckSecret(file string) error {
	_, err := readSecret(file, slog.New(slog.DiscardHandler))
	return err
}

// transport makes connections for posts: none leads elsewhere than configured.
func transport() http.RoundTripper {
	return &http.Transport{
		Proxy: nil, DisableCompression: true, ForceAttemptHTTP2: true,
		MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute,
		MaxResponseHeaderBytes: 16 << 10, TLSHandshakeTimeout: 10 * time.Second,
	}
}

// metrics are the counters of all targets, by host.
type metrics struct {
	delivered, dropped *prometheus.CounterVec // target
	tries              *prometheus.CounterVec // target, outcome
}

func newMetrics(r prometheus.Registerer) *metrics {
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "weir", Subsystem: "webhook", Name: name, Help: help}, labels)
	}
	m := &metrics{
		delivered: vec("delivered_total", "Events that a webhook target has taken.", "target"),
		dropped:   vec("dropped_total", "Events that a webhook target will not get.", "target"),
		tries:     vec("posts_total", "Posts to webhook targets, by outcome.", "target", "outcome"),
	}
	if r != nil {
		r.MustRegister(m.delivered, m.dropped, m.tries)
	}
	return m
}

// targetMetrics are those of one target.
type targetMetrics struct {
	delivered, dropped prometheus.Counter
	posts              func(outcome string)
}

func (m *metrics) of(host string) *targetMetrics {
	return &targetMetrics{
		delivered: m.delivered.WithLabelValues(host), dropped: m.dropped.WithLabelValues(host),
		posts: func(outcome string) { m.tries.WithLabelValues(host, outcome).Inc() },
	}
}
