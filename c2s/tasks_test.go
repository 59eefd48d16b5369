package c2s

import (
	"crypto/pbkdf2"
	"crypto/sha1"
	"encoding/base64"
	"regexp"
	"strings"
	"testing"

	"weir/auth"
	"weir/jid"

	"github.com/xdg-go/scram"
)

const (
	wantUpgrade = "<upgrade xmlns='" + nsUpgrade + "'>UPGR-SCRAM-SHA-1</upgrade>"
	nextSHA1    = "<next xmlns='" + nsSASL2 + "' task='UPGR-SCRAM-SHA-1'/>"
)

// oldAccount is a server with TLS and SHA-1 whose juliet has keys for SHA-256 only.
func oldAccount(t testing.TB) *house {
	t.Helper()
	h := newHouse(t, withTLS)
	o := auth.DefaultOptions()
	o.SHA1, o.Iterations = false, 4096
	before, err := auth.New(t.Context(), o, h.st)
	must(t, err)
	must(t, before.SetPassword(t.Context(), jid.MustParse("juliet@verona.lit"), password))
	return h
}

// byHash logs in by SASL2 and a SCRAM mechanism, up to what follows the client's proof.
func (c *client) byHash(mechanism, inside string) {
	c.t.Helper()
	gen := scram.SHA256
	if mechanism == "SCRAM-SHA-1" {
		gen = scram.SHA1
	}
	client, err := gen.NewClient("juliet", password, "")
	must(c.t, err)
	conv := client.NewConversation()
	first, err := conv.Step("")
	must(c.t, err)
	c.send(authenticate(mechanism, b64(first), inside))
	final, err := conv.Step(data(c.t, c.expect("</challenge>")))
	must(c.t, err)
	c.send("<response xmlns='" + nsSASL2 + "'>" + b64(final) + "</response>")
}

// inTask is a client that was asked for the task.
func inTask(t testing.TB, inside string) *client {
	c := oldAccount(t).dial()
	c.upgrade()
	c.open()
	c.byHash("SCRAM-SHA-256", wantUpgrade+inside)
	c.expectAll("<continue xmlns='"+nsSASL2+"'><additional-data>", "</additional-data><tasks><task>UPGR-SCRAM-SHA-1</task></tasks></continue>")
	return c
}

var saltOf = regexp.MustCompile(`<salt xmlns='urn:xmpp:scram-upgrade:0' iterations='4096'>([^<]+)</salt>`)

// salted begins the task and computes what it wants.
func (c *client) salted() string {
	c.t.Helper()
	c.send(nextSHA1)
	m := saltOf.FindStringSubmatch(c.expect("</task-data>"))
	if m == nil {
		c.t.Fatal("no salt")
	}
	salt, err := base64.StdEncoding.DecodeString(m[1])
	must(c.t, err)
	key, err := pbkdf2.Key(sha1.New, password, salt, 4096, sha1.Size)
	must(c.t, err)
	return b64(string(key))
}

func taskHash(hash string) string {
	return "<task-data xmlns='" + nsSASL2 + "'><hash xmlns='" + nsSalted + "'>" + hash + "</hash></task-data>"
}

func TestUpgradeAtLogin(t *testing.T) {
	h := oldAccount(t)
	c := h.dial()
	c.upgrade()
	if f := c.open(); !strings.Contains(f, "<upgrade xmlns='"+nsUpgrade+"'>UPGR-SCRAM-SHA-256</upgrade>"+wantUpgrade+"</authentication>") {
		t.Errorf("not announced: %s", f)
	}
	c.byHash("SCRAM-SHA-256", "<upgrade xmlns='"+nsUpgrade+"'>UPGR-BLOOP</upgrade>"+wantUpgrade+bind2)
	c.expect("</continue>")
	c.send(taskHash("\n " + c.salted() + "\n"))
	c.expectAll("<success xmlns='"+nsSASL2+"'><authorization-identifier>juliet@verona.lit/", "</success>", endFeatures)
	c.sync()
	c = h.dial()
	c.upgrade()
	c.open()
	c.byHash("SCRAM-SHA-1", wantUpgrade) // asked for once more: nothing is to be done
	if got := c.expect("</success>"); strings.Contains(got, "<continue") {
		t.Errorf("a second upgrade: %s", got)
	}
}

// Who doesn't ask, or needs nothing, gets success at once.
func TestUpgradeUnasked(t *testing.T) {
	for name, inside := range map[string]string{
		"nothing":         "",
		"not ours":        "<upgrade xmlns='" + nsUpgrade + "'>UPGR-SCRAM-SHA-512</upgrade>",
		"one it has":      "<upgrade xmlns='" + nsUpgrade + "'>UPGR-SCRAM-SHA-256</upgrade>",
		"empty":           "<upgrade xmlns='" + nsUpgrade + "'/>",
		"other namespace": "<upgrade xmlns='urn:xmpp:sasl:upgrade:9'>UPGR-SCRAM-SHA-1</upgrade>",
		"too many":        strings.Repeat("<upgrade xmlns='"+nsUpgrade+"'>x</upgrade>", maxUpgrades) + wantUpgrade,
	} {
		c := oldAccount(t).dial()
		c.upgrade()
		c.open()
		c.byHash("SCRAM-SHA-256", inside)
		if got := c.expect("</success>"); strings.Contains(got, "<continue") {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// A client that doesn't do as it was asked has no login, and nothing is kept.
func TestUpgradeFailures(t *testing.T) {
	twenty := b64(strings.Repeat("x", 20))
	for _, tt := range []struct{ name, send, condition string }{
		{"another task", "<next xmlns='" + nsSASL2 + "' task='UPGR-SCRAM-SHA-256'/>", "malformed-request"},
		{"no task", "<next xmlns='" + nsSASL2 + "'/>", "malformed-request"},
		{"next twice", nextSHA1 + nextSHA1, "malformed-request"},
		{"hash before the salt", taskHash(twenty), "malformed-request"},
		{"no hash", nextSHA1 + "<task-data xmlns='" + nsSASL2 + "'/>", "malformed-request"},
		{"two hashes", nextSHA1 + strings.Replace(taskHash(twenty), "</task-data>", "<hash xmlns='"+nsSalted+"'/></task-data>", 1), "malformed-request"},
		{"something else", nextSHA1 + "<task-data xmlns='" + nsSASL2 + "'><x xmlns='x'>AAAA</x></task-data>", "malformed-request"},
		{"empty", nextSHA1 + taskHash(""), "malformed-request"},
		{"short", nextSHA1 + taskHash(b64("x")), "malformed-request"},
		{"of SHA-256", nextSHA1 + taskHash(b64(strings.Repeat("x", 32))), "malformed-request"},
		{"not base64", nextSHA1 + taskHash("????"), "incorrect-encoding"},
		{"a response", "<response xmlns='" + nsSASL2 + "'>AAAA</response>", "malformed-request"},
		{"abort", nextSHA1 + "<abort xmlns='" + nsSASL2 + "'/>", "aborted"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := inTask(t, bind2)
			c.send(tt.send)
			if got := c.expect("</failure>"); !strings.Contains(got, "<"+tt.condition+" xmlns='"+nsSASL+"'/>") || strings.Contains(got, "<success") {
				t.Errorf("want %s, got %s", tt.condition, got)
			}
			c.send(plain2("juliet", "")) // XEP-0388 §4.8
			c.expectError("policy-violation")
		})
	}
}

// While a task is awaited nothing else is taken, and a task that is over is over.
func TestUpgradeOutOfTurn(t *testing.T) {
	for _, x := range []string{"<message/>", plain2("juliet", ""), authElement("PLAIN", ""), bindIQ} {
		c := inTask(t, "")
		c.send(x)
		c.expectError("not-authorized")
	}
	c := inTask(t, "")
	c.send(taskHash(c.salted()))
	c.expect(endFeatures)
	c.send(nextSHA1)
	c.expectError("unsupported-stanza-type")
}

// A password that is changed meanwhile ends the login.
func TestUpgradeWithAnOldPassword(t *testing.T) {
	h := oldAccount(t)
	c := h.dial()
	c.upgrade()
	c.open()
	c.byHash("SCRAM-SHA-256", wantUpgrade+bind2)
	c.expect("</continue>")
	hash := c.salted()
	must(t, h.auth.SetPassword(t.Context(), jid.MustParse("juliet@verona.lit"), "another password"))
	c.send(taskHash(hash))
	if got := c.expect("</failure>"); !strings.Contains(got, "<not-authorized") {
		t.Errorf("got %s", got)
	}
}
