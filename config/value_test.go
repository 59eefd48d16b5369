package config

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestNames holds how a field is called in a file and in the environment.
func TestNames(t *testing.T) {
	for field, want := range map[string]string{
		"Data": "data", "ShutdownTimeout": "shutdown_timeout", "C2S": "c2s", "C2SInsecure": "c2s_insecure",
		"SHA1": "sha1", "SHA1Iterations": "sha1_iterations", "KDFQueue": "kdf_queue", "MaxPerAddr": "max_per_addr", "TLS": "tls",
	} {
		if got := snake(field); got != want {
			t.Errorf("%s is %s, want %s", field, got, want)
		}
	}
	var keys []string
	seen := map[string]bool{}
	for _, s := range settings() {
		keys = append(keys, s.key())
		if seen[s.env()] {
			t.Errorf("two settings have the variable %s", s.env())
		}
		seen[s.env()] = true
	}
	for _, k := range []string{"domains", "listen.c2s", "listen.c2s_tls", "listen.c2s_insecure", "stream.byte_rate", "tls.certificates", "storage.durability"} {
		if !slices.Contains(keys, k) {
			t.Errorf("no setting %s", k)
		}
	}
	for _, k := range append(slices.Clone(filledIn), "auth.log", "auth.metrics", "storage.fs") {
		if slices.Contains(keys, k) {
			t.Errorf("%s is a setting, the program fills it in", k)
		}
	}
}

// TestSizes holds which settings count bytes: their comments say so.
func TestSizes(t *testing.T) {
	var sizes []string
	for _, s := range settings() {
		if s.isSize() {
			sizes = append(sizes, s.key())
		}
	}
	want := []string{"storage.cache_bytes", "storage.mem_table", "storage.min_free", "network.max_output", "network.max_input",
		"stream.login_bytes", "stream.stanza_bytes", "stream.byte_rate", "stream.byte_burst", "session.max_log",
		"roster.max_bytes", "roster.max_name", "roster.max_request", "roster.cache", "mam.page_bytes", "blocking.max_bytes", "private.max_bytes", "vcard.max_bytes", "commands.bytes", "component.stanza_bytes", "session_log.max_size"}
	if !reflect.DeepEqual(sizes, want) {
		t.Errorf("got  %q\nwant %q", sizes, want)
	}
}

// TestForms holds that what is printed can be read, and the forms it has.
func TestForms(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", time.Second: "1s", 90 * time.Second: "1m30s", 5 * time.Minute: "5m", time.Hour: "1h", 24 * time.Hour: "24h",
		48 * time.Hour: "2d", 365 * 24 * time.Hour: "365d", 25 * time.Hour: "25h", 100 * time.Millisecond: "100ms", -time.Minute: "-1m",
	} {
		got := formatDuration(d)
		if back, err := parseDuration(got); got != want || err != nil || back != d {
			t.Errorf("%v is %q, want %q; read back %v, %v", d, got, want, back, err)
		}
	}
	for n, want := range map[int64]string{0: "0", 1: "1", 1023: "1023", 1024: "1 KiB", 65536: "64 KiB", 1 << 20: "1 MiB", 3 << 30: "3 GiB", -2048: "-2 KiB"} {
		got := formatSize(n)
		if back, err := parseSize(got); got != want || err != nil || back != n {
			t.Errorf("%d is %q, want %q; read back %d, %v", n, got, want, back, err)
		}
	}
	for _, bad := range []string{"", "x", "5 kB", "KiB", "9999999999999 GiB", "1.5 MiB", "-"} {
		if n, err := parseSize(bad); err == nil {
			t.Errorf("size %q is read as %d", bad, n)
		}
	}
	for _, bad := range []string{"", "5", "d", "xd", "1d-5h", "99999d", "1dd"} {
		if d, err := parseDuration(bad); err == nil {
			t.Errorf("time %q is read as %v", bad, d)
		}
	}
}

// TestDistance holds what is alike.
func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"abc", "abd", 1}, {"domain", "domains", 1}, {"kitten", "sitting", 3}, {strings.Repeat("x", 100), "x", 64}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("%q and %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

// FuzzParse holds that no text makes the reader fail in another way than with
// mistakes, and that every mistake of a file has its place.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "a.b.c = [[1,{x=2}]]", "[[tls.certificates]]\ncert=''\n[tls.certificates.x]", "x = \"\"\"a\\\"\"\"\"\n[log]\nlevel=1",
		"[a]\r\nb = 1979-05-27T07:32:00Z # c", "'a\x1fb' = {}", "log = [[[]]]", "[log.level.x]\ny=1", "\"\\u0061\" = 1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, err := Parse("f", text)
		m, ok := err.(Mistakes)
		if err != nil && !ok {
			t.Fatal(err)
		}
		for _, x := range m {
			if x.Text == "" || x.File != "f" {
				t.Errorf("a mistake without text or file: %+v", x)
			}
			if x.Line == 0 && !strings.ContainsAny(text, "\x1f\\\"'#{") {
				t.Errorf("a mistake without a place: %s", x.String())
			}
		}
	})
}
