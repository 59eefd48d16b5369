package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"weir/netserver"
	"weir/storage/pebble"
)

// told is what a mistake is printed as.
func told(t *testing.T, err error) []string {
	t.Helper()
	var m Mistakes
	if !errors.As(err, &m) {
		t.Fatalf("want Mistakes, got %v", err)
	}
	return strings.Split(err.Error(), "\n")
}

// TestMistakes holds what each mistake in a file is told as: place, key, hint.
func TestMistakes(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{"unknown key", "domain = [\"a.example\"]", `f:1:1: unknown key domain; did you mean domains?`},
		{"key of a section", "\n\nbyte_rate = 5", `f:3:1: unknown key byte_rate; it belongs into [stream]`},
		{"key of a section, nearly", "bytes_rate = 5", `f:1:1: unknown key bytes_rate; did you mean byte_rate in [stream]?`},
		{"key of the top level", "[listen]\ndata = \"x\"", `f:2:1: unknown key data in [listen]; it belongs before the first [section]`},
		{"unknown key of a section", "[stream]\n  byte_rat = 5", `f:2:3: unknown key byte_rat in [stream]; did you mean byte_rate?`},
		{"unknown section", "[lisen]\nc2s = \"\"", `f:1:1: unknown key lisen; did you mean listen?`},
		{"dotted", "stream.byte_rat = 5", `f:1:1: unknown key byte_rat in [stream]; did you mean byte_rate?`},
		{"inline table", "log = { levle = \"info\" }", `f:1:9: unknown key levle in [log]; did you mean level?`},
		{"not like any", "[log]\nxyzzyxyzzy = 1", `f:2:1: unknown key xyzzyxyzzy in [log]; known here: level, format`},
		{"filled in by the program", "[storage]\ndir = \"x\"",
			`f:2:1: unknown key dir in [storage]; known here: durability, cache_bytes, mem_table, min_free`},
		{"section is no table", "log = 5", `f:1:7: log is a number (5); it is a section: a line [log] and its keys below`},
		{"text for a list", `domains = "a.example"`, `f:1:11: domains is a text ("a.example"); it has to be a list like ["example.org", "example.net"]`},
		{"list of numbers", "domains = [1]", `f:1:11: domains has a number (1) in its list; it has to be a list like ["example.org", "example.net"]`},
		{"number for a time", "[stream]\nlogin_timeout = 5", `f:2:17: login_timeout is a number (5); it has to be a time like "30s", "5m" or "24h"`},
		{"bad time", "shutdown_timeout = \"soon\"", `f:1:20: shutdown_timeout is "soon"; it has to be a time like "30s", "5m" or "24h"`},
		{"bad size", "[stream]\nbyte_rate = \"64 kB\"", `f:2:13: byte_rate is "64 kB"; it has to be a number of bytes like 65536 or "64 KiB"`},
		{"text for a number", "[roster]\nmax_items = \"9\"", `f:2:13: max_items is a text ("9"); it has to be a whole number like 100`},
		{"fraction for a number", "[roster]\nmax_items = 1.5", `f:2:13: max_items is a number (1.5); it has to be a whole number like 100`},
		{"not a number", "[auth]\nfailures_per_addr = nan", `f:2:21: failures_per_addr is a number (NaN); it has to be a number like 10 or 2.5`},
		{"text for a switch", "[auth]\nsha1 = \"yes\"", `f:2:8: sha1 is a text ("yes"); it has to be true or false`},
		{"date", "data = 2026-01-01", `f:1:8: data is a date; it has to be a text in quotes like "./weir-data"`},
		{"choice", "[log]\nlevel = \"warning\"", `f:2:9: level is "warning"; did you mean "warn"? it has to be "debug", "info", "warn" or "error"`},
		{"choice of another type", "[storage]\ndurability = 1", `f:2:14: durability is a number (1); it has to be one of "disk" or "process"`},
		{"out of range", "[stream]\nstanza_bytes = 100", `f:2:16: stanza_bytes is 100, must be 10000 to 67108864; the default is "256 KiB"`},
		{"negative", "[network]\nstall_timeout = \"-1s\"", `f:2:17: stall_timeout is "-1s": a timeout is negative; the default is "30s"`},
		{"resumption for too long", "[session]\nhibernate = \"60d\"",
			`f:2:13: hibernate is 1440h0m0s, must be a second to 30 days, or negative for no resumption; the default is "10m"`},
		{"resumption for no time", "[session]\nhibernate = \"0s\"", `f:2:13: hibernate is 0; "-1s" turns resumption off; else it is a time like "30s", "5m" or "24h"`},
		{"policy unknown", "[policy]\nrules = [\"open class=x\", \"singel\"]", `f:2:9: rules, entry 1 ("open class=x"): there is no class x; classes are none; ` +
			`rules, entry 2 ("singel"): no policy "singel", there are open, single, single-refuse, mirror, per-device; ` + "`weir policy --help` has examples"},
		{"class of nothing", "[policy]\nrules = [\"open class=x\"]\nclasses = [\"x\"]",
			`f:3:11: classes, entry 1 ("x"): says nothing of its devices: software, name, resource or id; the default is []`},
		{"policy is no list", "[policy]\nrules = \"single\"", `f:2:9: rules is a text ("single"); it has to be a list like ["example.org", "example.net"]`},
		{"seen as nothing known", "[presence]\nhibernating = \"awy\"", `f:2:15: hibernating is "awy"; did you mean "away"? it has to be "stay", "away" or "unavailable"`},
		{"seen otherwise after no time", "[presence]\nhibernating_after = \"0s\"", `f:2:21: hibernating_after is 0; it has to be "1s" or more, a time like "30s", "5m" or "24h"`},
		{"seen otherwise after a blink", "[presence]\nhibernating_after = \"5ms\"", `f:2:21: hibernating_after is 5ms, must be a second to 30 days; the default is "5m"`},
		{"kept for less than no time", "[session]\nretention = \"-1h\"", `f:2:13: retention is -1h0m0s, a time can't be negative; the default is "365d"`},
		{"archive rule", "[session]\narchive = \"all\"", `f:2:11: archive is "all"; it has to be "always", "roster" or "never"`},
		{"place to reconnect to", "[acks]\nlocation = \":5222\"", `f:2:12: location is ":5222", which has no host; the default is ""`},
		{"page of an archive", "[mam]\nmax_page = 5000", `f:2:12: max_page is 5000, must be 1 to 1000; the default is 100`},
		{"no domain", "domains = []", `f:1:11: domains is empty; it has to be a list like ["example.org"]`},
		{"address for a domain", `domains = ["a@b"]`, `f:1:11: "a@b" is not a domain; a domain is what stands behind the @: "example.org"`},
		{"twice", `domains = ["a.example", "A.example"]`, `f:1:11: the domain "A.example" stands there twice`},
		{"no port", "[listen]\nc2s = \"localhost\"",
			`f:2:7: c2s is "localhost", which is not an address with a port; an address is ":5222", "127.0.0.1:5222" or "[::1]:5222"; "" opens none`},
		{"bad port", "[listen]\nc2s = \":xmpp\"", `f:2:7: c2s is ":xmpp": "xmpp" is not a port; a port is a number from 0 (any free one) to 65535`},
		{"insecure", "[listen]\nc2s_insecure = \":5224\"", `f:2:16: c2s_insecure is ":5224", where passwords and messages could be read by everybody on the way; ` +
			`take a loopback address like "127.0.0.1:5224", or set insecure_anywhere (--c2s-insecure-anywhere) if a network of your own protects it`},
		{"not TOML", "[listen\nc2s = 1", `f:1:8: not TOML: expected '.' or ']' to end table name, but got '\n' instead`},
		{"certificate without cert", "[[tls.certificates]]\nkey = \"k\"", `f:1:1: a certificate without cert; it needs cert = "file"`},
		{"second certificate", "[[tls.certificates]]\ncert = \"/dev/null\"\n[[tls.certificates]]\ncert = \"/dev/null\"\nkye = \"k\"",
			`f:5:1: unknown key kye in [tls.certificates]; did you mean key?`},
		{"certificates of another type", "[tls]\ncertificates = [1]",
			`f:2:16: certificates is a list; it has to be tables: [[tls.certificates]] with cert = "file" and key = "file"`},
		{"behind text of several lines", "data = \"\"\"\na = 1\n[x]\n\"\"\"\n\"ß\" = 'x' # [y]\n  'b c' = [ 1, # ]\n 2 ]\nq = 1",
			"f:5:1: unknown key ß; known here"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse("f", c.file)
			if lines := told(t, err); !strings.HasPrefix(lines[0], c.want) {
				t.Errorf("got  %s\nwant %s", lines[0], c.want)
			}
		})
	}
}

// TestAllMistakesAtOnce holds that one mistake doesn't hide another, and that
// they come in the order of the file.
func TestAllMistakesAtOnce(t *testing.T) {
	_, err := Parse("f", "x_y = 1\ndomains = []\n[stream]\nstanza_bytes = 1\nlogin_bytes = 1\nbyte_rate = true\n[log]\nlevel = \"loud\"\n'b c' = [ 1, # ]\n 2 ]\nq = 1")
	var places []string
	for _, l := range told(t, err) {
		places = append(places, l[:strings.Index(l, ": ")])
	}
	want := []string{"f:1:1", "f:2:11", "f:4:16", "f:5:15", "f:6:13", "f:8:9", "f:9:1", "f:11:1"}
	if !reflect.DeepEqual(places, want) {
		t.Errorf("places %q, want %q:\n%v", places, want, err)
	}
}

// TestValues holds the forms in which values may be written.
func TestValues(t *testing.T) {
	dir := t.TempDir()
	cert := filepath.Join(dir, "cert.pem")
	if err := os.WriteFile(cert, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Parse("f", `
domains = ["A.example", "b.example"]
shutdown_timeout = "1m30s"
listen.c2s = ""
[[tls.certificates]]
cert = "`+cert+`"
domains = ["a.example"]
[storage]
durability = "process"
cache_bytes = "16 MiB"
min_free = -1
[stream]
byte_rate = 0
stanza_bytes = 20000
[auth]
failures_per_addr = 2
sha1 = false
[session]
retention = "30d12h"
`)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Domains = []string{"a.example", "b.example"}
	want.ShutdownTimeout = 90 * time.Second
	want.Listen.C2S = ""
	want.TLS.Certificates = []netserver.CertFiles{{Cert: cert, Domains: []string{"a.example"}}}
	want.Storage.Durability, want.Storage.CacheBytes, want.Storage.MinFree = pebble.Process, 16<<20, -1
	want.Stream.ByteRate, want.Stream.StanzaBytes = 0, 20000
	want.Auth.FailuresPerAddr, want.Auth.SHA1 = 2, false
	want.Session.Retention = 732 * time.Hour
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
}

// TestPrecedence holds that flags win over the environment, that over the file,
// and that over the defaults; a mistake in a value that doesn't win counts too.
func TestPrecedence(t *testing.T) {
	file := filepath.Join(t.TempDir(), "weir.toml")
	text := "data = \"file\"\ndomains = [\"file.example\"]\n[log]\nlevel = \"warn\"\n[listen]\nc2s = \":1\"\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(Source{
		File:    file,
		Environ: []string{"WEIR_DATA=env", "WEIR_LISTEN_C2S=:2", "PATH=x", "WEIR_CONFIG=ignored", "WEIR_SERVICE_PORT=1", "WEIR_PORT=tcp://x", "WEIR_PORT_5222_TCP=x"},
		Flags:   []Flag{{"--data", "data", "flag"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := []string{c.Data, c.Listen.C2S, c.Log.Level, c.Domains[0], c.Listen.C2STLS}
	if want := []string{"flag", ":2", "warn", "file.example", ":5223"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestEnvironment holds that every setting has a variable that takes its default
// in the form that is printed, and what mistakes in variables are told as.
func TestEnvironment(t *testing.T) {
	var environ []string
	for _, v := range Variables() {
		environ = append(environ, v.Name+"="+v.Default)
	}
	c, err := Load(Source{Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	if want := Default(); !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
	for variable, want := range map[string]string{
		"WEIR_LISTEN_C2=:1":            "the environment variable WEIR_LISTEN_C2: there is no such setting; did you mean WEIR_LISTEN_C2S?",
		"WEIR_DOMAIN=a.example":        "the environment variable WEIR_DOMAIN: there is no such setting; did you mean WEIR_DOMAINS?",
		"WEIR_QWERTZUIOP=1":            "the environment variable WEIR_QWERTZUIOP: there is no such setting; `weir help environment` tells the names; unset it if it isn't meant for weir",
		"WEIR_STREAM_BYTE_RATE=x":      `the environment variable WEIR_STREAM_BYTE_RATE: byte_rate is "x"; it has to be a number of bytes like 65536 or "64 KiB"`,
		"WEIR_AUTH_SHA1=maybe":         `the environment variable WEIR_AUTH_SHA1: sha1 is "maybe"; it has to be true or false`,
		"WEIR_TLS_CERTIFICATES=/no:/k": "the environment variable WEIR_TLS_CERTIFICATES: the certificate file can't be used: stat /no: no such file or directory; paths are relative to the folder weir is started in",
	} {
		_, err := Load(Source{Environ: []string{variable}})
		if lines := told(t, err); lines[0] != want || len(lines) > 1 {
			t.Errorf("%s:\ngot  %s\nwant %s", variable, strings.Join(lines, "\n"), want)
		}
	}
}

// TestFlags holds what mistakes in flags are told as.
func TestFlags(t *testing.T) {
	_, err := Load(Source{Flags: []Flag{{"--c2s", "listen.c2s", "5222"}}})
	if got := told(t, err)[0]; !strings.HasPrefix(got, `the flag --c2s: c2s is "5222", which is not an address with a port`) {
		t.Error(got)
	}
	c, err := Load(Source{Flags: []Flag{{"--c2s-insecure", "listen.c2s_insecure", ":5224"}, {"--c2s-insecure-anywhere", "listen.insecure_anywhere", "true"}}})
	if err != nil || c.Listen.C2SInsecure != ":5224" {
		t.Errorf("%q, %v", c.Listen.C2SInsecure, err)
	}
}

// TestMissingFile holds that a file that was named has to be there.
func TestMissingFile(t *testing.T) {
	_, err := Load(Source{File: "/nowhere/weir.toml"})
	if err == nil || err.Error() != "there is no configuration file /nowhere/weir.toml: `weir config > /nowhere/weir.toml` makes one" {
		t.Error(err)
	}
}
