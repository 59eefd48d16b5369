package acks_test

import (
	"strings"
	"testing"
)

// TestResumeOnAFullDisk: a session that can't be resumed just now is not replaced by
// the <bind/> that came with the request, which would be of the same device. The
// client is logged in, knows why, and resumes a moment later.
func TestResumeOnAFullDisk(t *testing.T) {
	h := newHouse(t)
	stream, token := h.ready(3)
	h.full.Store(true)
	c := h.dial()
	got := c.token(token, useToken+resume(stream)+bindEnable, "</success>")
	if !strings.Contains(got, "<resource-constraint") || strings.Contains(got, "<bound") {
		t.Fatalf("got %s", got)
	}
	h.full.Store(false)
	c.await(endFeatures)
	got = c.ask(resume(stream), "</message>")
	if !strings.Contains(got, "<resumed") || !strings.Contains(got, "id='waits'") {
		t.Errorf("got %s", got)
	}
	c.conn.NetConn().Close()
}
