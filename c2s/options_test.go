package c2s

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestOptions(t *testing.T) {
	if err := (Options{}).Validate(); err != nil {
		t.Error("no settings:", err)
	}
	if err := DefaultOptions().Validate(); err != nil {
		t.Error("defaults:", err)
	}
	for name, o := range map[string]Options{
		"StanzaBytes":  {StanzaBytes: 9_999}, // RFC 6120 §13.12
		"MaxWrong":     {MaxWrong: 6},        // RFC 6120 §6.4.5
		"MaxBindTries": {MaxBindTries: 4},    // RFC 6120 §7.7.3
		"ByteRate":     {ByteRate: -1},
		"LoginTimeout": {LoginTimeout: time.Millisecond},
		"CloseTimeout": {CloseTimeout: -time.Second},
	} {
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New(Options{StanzaDepth: 1000}, nil, nil); err == nil {
		t.Error("New took it")
	}
}

func TestMetricsRegister(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	newMetrics(r).limits.WithLabelValues("element").Inc()
	all, err := r.Gather()
	must(t, err)
	if len(all) < 5 {
		t.Errorf("%d families", len(all))
	}
	for _, f := range all {
		if !strings.HasPrefix(f.GetName(), "weir_c2s_") {
			t.Errorf("name: %s", f.GetName())
		}
	}
}
