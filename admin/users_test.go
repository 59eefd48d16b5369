package admin_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"weir"
	"weir/admin"
)

// TestUsers holds what can be done with accounts.
func TestUsers(t *testing.T) {
	s, c := start(t, settings(folder(t)))
	add(t, c, "romeo@localhost", "juliet@second.example", "Juliet@localhost")
	made, err := c.AddUser(t.Context(), "nurse@localhost", "")
	if err != nil || !regexp.MustCompile(`^([a-z2-9]{5}-){3}[a-z2-9]{5}$`).MatchString(made.Password) {
		t.Fatalf("a made password: %+v, %v", made, err)
	}
	again, err := c.SetPassword(t.Context(), "nurse@localhost", "")
	if err != nil || again.Password == "" || again.Password == made.Password {
		t.Errorf("a new made password: %+v, %v", again, err)
	}
	if u, err := c.SetDisabled(t.Context(), "romeo@localhost", true); err != nil || !u.Disabled || u.Password != "" {
		t.Errorf("disabled: %+v, %v", u, err)
	}
	list := func(domain string) string {
		t.Helper()
		all, err := c.Users(t.Context(), domain)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, u := range all {
			fmt.Fprintf(&b, "%s %v;", u.JID, u.Disabled)
			if u.Created.IsZero() || u.Password != "" {
				t.Errorf("listed as %+v", u)
			}
		}
		return b.String()
	}
	if got := list(""); got != "juliet@localhost false;nurse@localhost false;romeo@localhost true;juliet@second.example false;" {
		t.Error(got)
	}
	if got := list("second.example"); got != "juliet@second.example false;" {
		t.Error(got)
	}
	if u, err := c.SetDisabled(t.Context(), "romeo@localhost", false); err != nil || u.Disabled {
		t.Errorf("enabled: %+v, %v", u, err)
	}
	login(t, s, "romeo", "")
	if err := c.DeleteUser(t.Context(), "juliet@second.example"); err != nil {
		t.Error(err)
	}
	if got := list(""); got != "juliet@localhost false;nurse@localhost false;romeo@localhost false;" {
		t.Error(got)
	}
}

// TestUserMistakes holds the answer to each mistake.
func TestUserMistakes(t *testing.T) {
	_, c := start(t, settings(folder(t)))
	add(t, c, "juliet@localhost")
	addUser := func(j, p string) func(context.Context) error {
		return func(ctx context.Context) error { _, err := c.AddUser(ctx, j, p); return err }
	}
	for _, x := range []struct {
		name   string
		call   func(context.Context) error
		status int
		want   string
	}{
		{"exists", addUser("JULIET@localhost", "correct horse"), 409, "juliet@localhost: the account exists already"},
		{"other domain", addUser("a@b.example", "correct horse"), 400, "a@b.example: b.example is not a domain of this server, which serves localhost, second.example"},
		{"no name", addUser("localhost", "correct horse"), 400, `"localhost" is not an account's address: it has the form user@domain`},
		{"resource", addUser("a@localhost/r", "correct horse"), 400, `"a@localhost/r" has a resource (what stands behind the slash), an account has none`},
		{"empty", addUser("", "correct horse"), 400, `"" is not an address: `},
		{"weak", addUser("a@localhost", "short"), 400, "a@localhost: password refused: shorter than 8 characters"},
		{"unknown", func(ctx context.Context) error { return c.DeleteUser(ctx, "a@localhost") }, 404, "a@localhost: no such account"},
		{"password of unknown", func(ctx context.Context) error {
			_, err := c.SetPassword(ctx, "a@localhost", "correct horse")
			return err
		}, 404, "a@localhost: no such account"},
		{"role of unknown", func(ctx context.Context) error { _, err := c.SetRole(ctx, "a@localhost", "admin"); return err }, 404, "a@localhost: no such account"},
		{"bad role", func(ctx context.Context) error { _, err := c.SetRole(ctx, "romeo@localhost", "A"); return err }, 400, "romeo@localhost: no role: its name consists of letters a to z, digits and hyphens, a letter first"},
		{"disable of unknown", func(ctx context.Context) error { _, err := c.SetDisabled(ctx, "a@localhost", true); return err }, 404, "a@localhost: no such account"},
		{"message of unknown", func(ctx context.Context) error { _, err := c.ExplainMessage(ctx, "a@localhost", "m1"); return err }, 404, "a@localhost: no such account"},
		{"unknown message", func(ctx context.Context) error { _, err := c.ExplainMessage(ctx, "juliet@localhost", "m1"); return err }, 404, `the log of juliet@localhost has no message "m1": `},
		{"list of a bad domain", func(ctx context.Context) error { _, err := c.Users(ctx, "a@b"); return err }, 400, `"a@b" is not a domain: `},
		{"sessions of a bad address", func(ctx context.Context) error { _, err := c.Sessions(ctx, "@"); return err }, 400, `account "@": `},
		{"sessions of a domain", func(ctx context.Context) error { _, err := c.Sessions(ctx, "localhost"); return err }, 400, `account "localhost": an account has the form user@domain`},
	} {
		var no *admin.Failed
		if err := x.call(t.Context()); !errors.As(err, &no) || no.Status != x.status || !strings.HasPrefix(no.Text, x.want) {
			t.Errorf("%s: got %v, want %d %s", x.name, err, x.status, x.want)
		} else if strings.Contains(no.Text, "horse") || strings.Contains(no.Text, "short\"") {
			t.Errorf("%s: the answer tells the password: %s", x.name, no.Text)
		}
	}
}

// TestImport holds that a list makes its good lines into accounts and tells the
// others with their numbers.
func TestImport(t *testing.T) {
	s, c := start(t, settings(folder(t)))
	add(t, c, "juliet@localhost")
	var list strings.Builder
	list.WriteString("# accounts\r\n\r\n\tromeo@localhost   correct horse\r\njuliet@localhost correct horse\nnopassword\na@b.example correct horse\n")
	list.WriteString("weak@localhost x\n@ correct horse\nlong@localhost " + strings.Repeat("x", 9000) + "\n")
	for i := range 300 {
		fmt.Fprintf(&list, "user%d@second.example password%d\n", i, i)
	}
	list.WriteString("last@localhost without end of line")
	var progress []int
	r, err := c.Import(t.Context(), strings.NewReader(list.String()), func(n int) { progress = append(progress, n) })
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, l := range r.Lines {
		lines = append(lines, fmt.Sprintf("%d %s %s", l.Line, l.JID, l.Error))
	}
	want := []string{
		"4 juliet@localhost the account exists already",
		"5  no password: a line is an address, a blank and a password",
		"6 a@b.example a@b.example: b.example is not a domain of this server, which serves localhost, second.example",
		"7 weak@localhost password refused: shorter than 8 characters",
		"8  \"@\" is not an address: ",
		"9  longer than 8192 bytes",
	}
	for i := range want {
		if i >= len(lines) || !strings.HasPrefix(lines[i], want[i]) {
			t.Fatalf("refused lines:\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
		}
	}
	if r.Created != 302 || r.Refused != len(want) || r.Error != "" {
		t.Errorf("%d created, %d refused, %q", r.Created, r.Refused, r.Error)
	}
	if n := len(progress); n < 2 || progress[n-1] != 308 {
		t.Errorf("progress %v", progress)
	}
	login(t, s, "romeo", "")
	if again, err := c.Import(t.Context(), strings.NewReader("romeo@localhost correct horse"), nil); err != nil || again.Created != 0 || again.Refused != 1 {
		t.Errorf("again: %+v, %v", again, err)
	}
	twice := "twice@localhost correct horse\nTwice@LOCALHOST correct horse\n" // which of them wins isn't said
	if r, err := c.Import(t.Context(), strings.NewReader(twice), nil); err != nil || r.Created != 1 || r.Refused != 1 {
		t.Errorf("twice: %+v, %v", r, err)
	}
	if none, err := c.Import(t.Context(), strings.NewReader(""), nil); err != nil || none.Created+none.Refused != 0 {
		t.Errorf("nothing: %+v, %v", none, err)
	}
}

// TestOffline holds that the same client works without a server on the folder.
func TestOffline(t *testing.T) {
	cfg := settings(folder(t))
	s, err := weir.Open(t.Context(), cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := admin.Local(s.Control)
	add(t, c, "juliet@localhost")
	if r, err := c.Import(t.Context(), strings.NewReader("romeo@localhost correct horse\nx y"), nil); err != nil || r.Created != 1 || r.Refused != 1 {
		t.Errorf("import: %+v, %v", r, err)
	}
	if err := c.DeleteUser(t.Context(), "romeo@localhost"); err != nil {
		t.Error(err)
	}
	c.Close()
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := c.Users(t.Context(), ""); err == nil {
		t.Error("the client works after the end")
	}
	s, c = start(t, cfg)
	login(t, s, "juliet", "")
	if all, err := c.Users(t.Context(), ""); err != nil || len(all) != 1 {
		t.Errorf("%+v, %v", all, err)
	}
}
