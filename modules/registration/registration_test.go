package registration

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"weir/auth"
	"weir/jid"
	"weir/sessionmgr"
	"weir/sessionmgr/sessiontest"
)

// accounts notes what is done to them; the hook runs as that of auth does.
type accounts struct {
	mod  *Module
	done []string
	err  error
}

func (a *accounts) SetPassword(_ context.Context, j jid.JID, password string) error {
	if len(password) < 3 {
		return fmt.Errorf("%w: too short", auth.ErrWeakPassword)
	}
	a.done = append(a.done, j.String()+" "+password)
	return a.err
}

func (a *accounts) Delete(ctx context.Context, j jid.JID) error {
	a.done = append(a.done, j.String()+" deleted")
	if a.err == nil {
		a.mod.Changed(ctx, auth.AccountChange{JID: j, Kind: auth.AccountDeleted})
	}
	return a.err
}

func iq(typ, inner string) string {
	return "<iq type='" + typ + "' id='1'><query xmlns='jabber:iq:register'>" + inner + "</query></iq>"
}

func TestRequests(t *testing.T) {
	const change = "<username>Juliet</username><password>secret</password>"
	for _, row := range []struct {
		o    Options
		tls  string
		err  error
		send string
		want string
		done string
	}{
		{send: iq("get", ""), want: "<registered></registered><username>juliet</username>"},
		{o: Options{KeepPasswords: true, KeepAccounts: true}, send: iq("get", ""), want: "not-allowed"},
		{tls: "1.3", send: iq("set", change), want: "type='result'", done: "juliet@verona.lit secret"},
		{send: iq("set", change), want: "not-authorized"},
		{tls: "1.3", o: Options{KeepPasswords: true}, send: iq("set", change), want: "not-allowed"},
		{tls: "1.3", err: errors.New("the disk burns"), send: iq("set", change), want: "internal-server-error", done: "juliet@verona.lit secret"},
		{tls: "1.3", send: iq("set", ""), want: "bad-request"},
		{tls: "1.3", send: iq("set", "<username>juliet</username><password/>"), want: "bad-request"},
		{tls: "1.3", send: iq("set", "<password>secret</password>"), want: "bad-request"},
		{tls: "1.3", send: iq("set", "<username>romeo</username><password>secret</password>"), want: "bad-request"},
		{tls: "1.3", send: iq("set", "<username>@</username><password>secret</password>"), want: "bad-request"},
		{tls: "1.3", send: iq("set", "<username>juliet</username><password>x</password>"), want: "not-acceptable"},
		{send: iq("set", "<remove/>"), want: "type='result'", done: "juliet@verona.lit deleted"},
		{send: iq("set", "<remove/><username>juliet</username>"), want: "bad-request"},
		{send: iq("set", "<remove/><x xmlns='urn:x'/>"), want: "bad-request"},
		{o: Options{KeepAccounts: true}, send: iq("set", "<remove/>"), want: "not-allowed"},
		{err: errors.New("the disk burns"), send: iq("set", "<remove/>"), want: "internal-server-error", done: "juliet@verona.lit deleted"},
		{send: strings.Replace(iq("set", "<remove/>"), "<iq ", "<iq to='romeo@verona.lit' ", 1), want: "service-unavailable"},
	} {
		h, a := sessiontest.New(), &accounts{err: row.err}
		a.mod = New(h.Manager, a, row.o)
		c := h.Bind("juliet@verona.lit/x")
		c.SetInfo(sessionmgr.LinkInfo{TLS: row.tls})
		c.Send(row.send)
		if got := c.Got(); len(got) != 1 || !strings.Contains(got[0], row.want) || strings.Contains(got[0], "secret") {
			t.Errorf("%s\n%s\nwant %s", row.send, got, row.want)
		}
		if got := strings.Join(a.done, ","); got != row.done {
			t.Errorf("%s did %q", row.send, got)
		}
		if !slices.Contains(h.Features(sessionmgr.OnServer), NS) {
			t.Error("no feature")
		}
		h.Close()
	}
}

func Example() {
	h, a := sessiontest.New(), &accounts{}
	defer h.Close()
	a.mod = New(h.Manager, a, DefaultOptions())
	answer := h.Bind("juliet@verona.lit/balcony").Ask("<iq type='get' id='1'><query xmlns='jabber:iq:register'/></iq>")
	fmt.Println(strings.Contains(answer, "<registered>"))
	// Output: true
}
