package integration_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"weir/integration/script"
	"weir/integration/testclient"
	"weir/integration/testserver"
)

// TestWatchRecordsAndReplays: what is shown of sessions has no texts in it, and what
// is recorded of them is a script that passes against another server.
func TestWatchRecordsAndReplays(t *testing.T) {
	bin, err := binary.Path()
	if err != nil {
		t.Fatal(err)
	}
	s := testserver.Start(t, testserver.Options{Binary: binary, Accounts: []string{"zoe", "yann"}})
	file := filepath.Join(t.TempDir(), "recorded.txtar")
	watch := exec.Command(bin, "session", "watch", "--stanzas", "--record", file, "--data", s.Dir)
	out, err := watch.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	watch.Stderr = os.Stderr
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = watch.Process.Kill(); _ = watch.Wait() }()
	var shown strings.Builder
	lines := bufio.NewScanner(out)
	until := func(text string) {
		t.Helper()
		for lines.Scan() {
			shown.WriteString(lines.Text() + "\n")
			if strings.Contains(lines.Text(), text) {
				return
			}
		}
		t.Fatalf("%q isn't shown:\n%s", text, &shown)
	}
	until("watching")
	login := func(user string) *testclient.Client {
		c, err := testclient.Dial(t.Context(), testclient.Options{Addr: s.Addr("c2s-insecure"), Timeout: patience})
		if err == nil {
			err = c.Login(t.Context(), user, testserver.Password(user), "home")
		}
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	send := func(c *testclient.Client, xml string) {
		t.Helper()
		if err := c.Send(xml); err != nil {
			t.Fatal(err)
		}
		if err := c.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	zoe, yann := login("zoe"), login("yann")
	send(zoe, "<iq type='get' id='r1'><query xmlns='jabber:iq:roster'/></iq>")
	send(zoe, "<presence><priority>3</priority><status>in a sonnet</status></presence>")
	send(yann, "<message to='zoe@localhost' type='chat' id='m1'><body>my secret &amp; more</body></message>")
	send(zoe, "<message to='yann@localhost/home' type='chat' id='m2'><body>{hark}</body></message>")
	if err := yann.Cut(); err != nil {
		t.Fatal(err)
	}
	until("yann@localhost/home closed link-lost")
	if _, err := zoe.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	until("zoe@localhost/home closed closed-by-client")

	recorded, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"secret", "sonnet", "hark"} {
		if strings.Contains(shown.String()+string(recorded), secret) {
			t.Errorf("%q is to be seen", secret)
		}
	}
	for _, line := range []string{
		`zoe@localhost/home in message chat zoe@localhost/home > yann@localhost/home, \d+ bytes`,
		`zoe@localhost/home presence available \(3\)`, `zoe@localhost/home interested`, `yann@localhost logged in`,
	} {
		if !regexp.MustCompile(line).MatchString(shown.String()) {
			t.Errorf("no line %s in\n%s", line, &shown)
		}
	}
	for _, step := range []string{
		"juliet: login home as juliet\n", "juliet> <presence xml:lang='en'><priority>3</priority><status>xx x xxxxxx</status></presence>\n",
		"romeo> <message to='juliet@localhost' id='m1' type='chat' xml:lang='en'><body>xx xxxxxx x xxxx</body></message>\nromeo: sync\n",
		"juliet<~ <message type='chat' from='romeo@localhost/home' ...>...</message>\n", "romeo: cut\n", "juliet: close\n",
	} {
		if !strings.Contains(string(recorded), step) {
			t.Errorf("no %s in\n%s", step, recorded)
		}
	}
	replay, err := script.Load(file)
	if err != nil {
		t.Fatalf("%v\n%s", err, recorded)
	}
	other := testserver.Start(t, testserver.Options{Binary: binary, Accounts: accounts})
	if err := script.Run(t.Context(), replay, other, script.Options{Password: testserver.Password}); err != nil {
		t.Errorf("%v\n%s", err, recorded)
	}
}

// TestWatchRecordsNamesOfTheCast: a conversation of accounts that have the names of
// the replay already, in another order, of one that has no session yet and of a
// longer name with another's in it, is recorded with each of them as one and the same,
// and replays.
func TestWatchRecordsNamesOfTheCast(t *testing.T) {
	bin, err := binary.Path()
	if err != nil {
		t.Fatal(err)
	}
	s := testserver.Start(t, testserver.Options{Binary: binary, Accounts: []string{"romeo", "juliet", "bigromeo"}})
	file := filepath.Join(t.TempDir(), "recorded.txtar")
	watch := exec.Command(bin, "session", "watch", "--record", file, "--data", s.Dir)
	out, err := watch.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = watch.Process.Kill(); _ = watch.Wait() }()
	lines := bufio.NewScanner(out)
	until := func(text string) {
		t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), text) {
				return
			}
		}
		t.Fatalf("%q isn't shown", text)
	}
	until("watching")
	login := func(user, resource string) *testclient.Client {
		c, err := testclient.Dial(t.Context(), testclient.Options{Addr: s.Addr("c2s-insecure"), Timeout: patience})
		if err == nil {
			err = c.Login(t.Context(), user, testserver.Password(user), resource)
		}
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	send := func(c *testclient.Client, xml string) {
		t.Helper()
		if err := c.Send(xml); err != nil {
			t.Fatal(err)
		}
		if err := c.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	romeo := login("romeo", "orchard")
	send(romeo, "<message to='bigromeo@localhost' type='chat' id='m0'><body>who?</body></message>")
	juliet := login("juliet", "balcony")
	send(juliet, "<presence/>")
	send(romeo, "<presence/>")
	send(romeo, "<message to='juliet@localhost/balcony' type='chat' id='m1'><body>hi</body><x xmlns='urn:x' of='xmpp:romeo@localhost?x'>romeo@localhost</x></message>")
	send(juliet, "<message to='romeo@localhost/orchard' type='chat' id='m2'><body>ho</body></message>")
	big := login("bigromeo", "phone")
	send(big, "<presence/>")
	send(big, "<message to='romeo@localhost/orchard' type='chat' id='m3'><body>me</body></message>")
	for _, c := range []*testclient.Client{big, juliet, romeo} {
		if _, err := c.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	until("romeo@localhost/orchard closed closed-by-client")

	recorded, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []string{
		"juliet: login orchard as juliet\n", "nurse: login balcony as nurse\n", "romeo: login phone as romeo\n",
		"juliet> <message to='romeo@localhost' id='m0'", "juliet> <message to='nurse@localhost/balcony' id='m1'",
		"nurse<~ <message type='chat' from='juliet@localhost/orchard' ...>", "nurse> <message to='juliet@localhost/orchard' id='m2'",
		"of='xmpp:juliet@localhost?x'", "romeo> <message to='juliet@localhost/orchard' id='m3'",
	} {
		if !strings.Contains(string(recorded), step) {
			t.Errorf("no %s in\n%s", step, recorded)
		}
	}
	replay, err := script.Load(file)
	if err != nil {
		t.Fatalf("%v\n%s", err, recorded)
	}
	other := testserver.Start(t, testserver.Options{Binary: binary, Accounts: accounts})
	if err := script.Run(t.Context(), replay, other, script.Options{Password: testserver.Password}); err != nil {
		t.Errorf("%v\n%s", err, recorded)
	}
}
