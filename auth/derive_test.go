package auth

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(2, 3)
		running, most := 0, 0
		results := make(chan error, 20)
		turn := make(chan struct{}, 1)
		turn <- struct{}{}
		for range 10 {
			go func() {
				results <- p.run(t.Context(), func() error {
					<-turn
					running++
					most = max(most, running)
					turn <- struct{}{}
					time.Sleep(time.Second)
					<-turn
					running--
					turn <- struct{}{}
					return nil
				})
			}()
		}
		synctest.Wait()
		// Two run, three wait, five are refused at once.
		for range 5 {
			if err := <-results; !errors.Is(err, errBusy) {
				t.Errorf("got %v", err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() { results <- p.wait(ctx, func() error { return nil }) }()
		synctest.Wait()
		cancel()
		if err := <-results; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		for range 5 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		if most != 2 || p.done.Load() != 5 || p.waiting.Load() != 0 {
			t.Errorf("%d at once, %d done, %d waiting", most, p.done.Load(), p.waiting.Load())
		}
	})
}

// A login over the bound is told to come again; its password counts for nothing.
func TestBusy(t *testing.T) {
	s, _ := newService(t, cheap())
	s.pool.queue = 0
	_, _, err := one(t, s, secured(), "PLAIN", "\x00juliet\x00"+password)
	wantFailure(t, "busy", err, "temporary-auth-failure", false)
	if err := s.SetPassword(t.Context(), juliet(), password); !errors.Is(err, errBusy) {
		t.Errorf("SetPassword: %v", err)
	}
	// SCRAM needs no derivation.
	if _, _, err := one(t, s, secured(), "SCRAM-SHA-256", "n,,n=juliet,r=abc"); err != nil {
		t.Error(err)
	}
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	o := cheap()
	o.Metrics = reg
	s, _ := newService(t, o)
	_, _, _ = one(t, s, secured(), "PLAIN", "\x00juliet\x00"+password)
	_, _, _ = one(t, s, secured(), "PLAIN", "\x00juliet\x00wrong")
	_, _ = s.Begin(secured(), "NAME-OF-THE-PEERS-CHOICE")
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]float64)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			got[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	want := map[string]float64{
		"weir_auth_exchanges_total PLAIN success":             1,
		"weir_auth_exchanges_total PLAIN not-authorized":      1,
		"weir_auth_exchanges_total unknown invalid-mechanism": 1,
		"weir_auth_key_derivations_total":                     4, // two hashes, two logins
		"weir_auth_key_derivations_waiting":                   0,
		"weir_auth_throttle_addresses":                        0,
		"weir_auth_throttled_total":                           0,
	}
	for name, n := range want {
		if v, ok := got[name]; !ok || v != n {
			t.Errorf("%s is %v, want %v", name, v, n)
		}
	}
	if len(got) != len(want) {
		t.Errorf("metrics: %v", got)
	}
	if _, err := New(t.Context(), o, newMemory(t)); err == nil {
		t.Error("registered twice in one registry")
	}
}
