package admin_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestMetrics holds that what is counted is served, and nothing else.
func TestMetrics(t *testing.T) {
	cfg := settings(folder(t))
	cfg.Listen.Metrics = "127.0.0.1:0"
	s, c := start(t, cfg)
	st, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	get := func(path string) (int, string) {
		t.Helper()
		r, err := http.Get("http://" + st.Listeners["metrics"] + path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return r.StatusCode, string(b)
	}
	code, text := get("/metrics")
	for _, name := range []string{"weir_", "go_goroutines", "process_open_fds"} {
		if code != 200 || !strings.Contains(text, "\n"+name) {
			t.Errorf("no %s… in the metrics (%d)", name, code)
		}
	}
	if code, text := get("/"); code != 200 || !strings.Contains(text, "/metrics") {
		t.Errorf("/ is %d %s", code, text)
	}
	for _, path := range []string{"/v1/status", "/debug/pprof/", "/x"} {
		if code, _ := get(path); code != 404 {
			t.Errorf("%s is %d, want 404", path, code)
		}
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := http.Get("http://" + st.Listeners["metrics"] + "/metrics"); err == nil {
		t.Error("metrics are served after the end")
	}
}
