package sessionmgr

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// counted returns what is counted, by name and value of the label, if there is one.
func counted(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			name := f.GetName()
			for _, l := range m.Label {
				name += " " + l.GetValue()
			}
			switch f.GetType() {
			case dto.MetricType_COUNTER:
				all[name] = m.GetCounter().GetValue()
			case dto.MetricType_HISTOGRAM:
				all[name] = float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return all
}

// TestMetricsOfResumption follows the counters through the life of a session
// with stream management.
func TestMetricsOfResumption(t *testing.T) {
	reg := prometheus.NewRegistry()
	h := newHouse(t, func(o *Options) { o.Metrics = reg })
	expect := func(want map[string]float64) {
		t.Helper()
		h.settle()
		got := counted(t, reg)
		for name, n := range want {
			if got["weir_session_"+name] != n {
				t.Errorf("%s is %v, want %v", name, got["weir_session_"+name], n)
			}
		}
	}
	romeo := h.online("romeo@verona.lit/orchard", 0)
	romeo.send(hello) // owed
	juliet := h.bind("juliet@verona.lit/balcony")
	id := juliet.enable()
	juliet.available(0)
	juliet.want("hello & Offline Storage")
	romeo.send(hello)
	expect(map[string]float64{"acks_enabled_total": 1, "pulled_total": 1, "stanzas_sent_total": 2, "owed_total": 1})
	juliet.ack(1)
	old := juliet
	juliet.cut()
	romeo.send(hello)
	expect(map[string]float64{"acks_received_total": 1, "hibernated_total": 1, "pulled_total": 1, "redelivered_total": 0})
	if _, _, err := h.resume("juliet@verona.lit", id, 7); err == nil {
		t.Error("resumed with a count that is too high")
	}
	if _, _, err := h.resume("juliet@verona.lit", "nonsense", 0); err == nil {
		t.Error("resumed by a wrong id")
	}
	juliet = h.mustResume("juliet@verona.lit", id, 1)
	old.send("<message to='romeo@verona.lit' type='chat'><body>late</body></message>") // of the connection that it has left
	expect(map[string]float64{"resumes_total resumed": 1, "resumes_total wrong count": 1, "resumes_total malformed": 1,
		"resume_age_seconds": 1, "redelivered_total": 1, "pulled_total": 2, "stanzas_sent_total": 4, "stale_total": 1})
	h.RequestAck(juliet.Session, juliet)
	h.settle()
	if _, ack, ask := juliet.Due(juliet); !ack || !ask {
		t.Errorf("an acknowledgement is due: %v, a request: %v", ack, ask)
	}
	h.Kick(juliet.Session, Cause{Code: Expired}, nil)
	if _, _, err := h.resume("juliet@verona.lit", id, 1); err == nil {
		t.Error("an ended session was resumed")
	}
	expect(map[string]float64{"acks_sent_total": 1, "acks_requested_total": 1, "resumes_total not found": 1,
		"ended_total expired": 1, "ended_total resumed-another": 1, "stanzas_received_total message": 3})
	if got := counted(t, reg); got["weir_session_commit_seconds"] == 0 || got["weir_session_commit_entries"] != got["weir_session_commit_seconds"] {
		t.Errorf("commits: %v", got)
	}
}
