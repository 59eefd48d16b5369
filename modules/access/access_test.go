package access_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/auth"
	"weir/jid"
	"weir/modules/access"
	"weir/sessionmgr"
	"weir/sessionmgr/sessiontest"
)

// shelf keeps devices of one account.
type shelf struct {
	devices []auth.Device
	err     error
}

func (s *shelf) Devices(context.Context, jid.JID) ([]auth.Device, error) {
	return slices.Clone(s.devices), s.err
}

func (s *shelf) RevokeDevice(_ context.Context, _ jid.JID, id string) ([]auth.Device, error) {
	at := slices.IndexFunc(s.devices, func(d auth.Device) bool { return d.ID == id })
	if at < 0 {
		return nil, auth.ErrNoDevice
	}
	gone := s.devices[at]
	s.devices = slices.Delete(s.devices, at, at+1)
	return []auth.Device{gone}, s.err
}

func device(id, name string, expires time.Duration) auth.Device {
	day := time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)
	return auth.Device{ID: id, Software: "App", Name: name, Created: day, Used: day.Add(time.Hour), Expires: time.Now().Add(expires)}
}

func Example() {
	h := sessiontest.New()
	defer h.Close()
	access.New(h.Manager, &shelf{devices: []auth.Device{device("k3fw7hq2mzt5bnvd", "phone", time.Hour)}})
	juliet := h.Online("juliet@verona.lit/balcony")
	list := juliet.Ask("<iq type='get' id='1'><list xmlns='urn:xmpp:cam:0'/></iq>")
	first, _, _ := strings.Cut(list, "</client>")
	fmt.Println(strings.ReplaceAll(first, "><", ">\n<"))
	fmt.Println(strings.ReplaceAll(juliet.Ask("<iq type='set' id='2'><revoke xmlns='urn:xmpp:cam:0' id='k3fw7hq2mzt5bnvd'/></iq>"), "><", ">\n<"))
	// Output:
	// <iq to='juliet@verona.lit/balcony' id='1' type='result'>
	// <clients xmlns="urn:xmpp:cam:0">
	// <client connected="false" id="k3fw7hq2mzt5bnvd" type="session">
	// <first-seen>2026-05-01T08:00:00Z</first-seen>
	// <last-seen>2026-05-01T09:00:00Z</last-seen>
	// <auth>
	// <password>
	// </password>
	// <fast>
	// </fast>
	// </auth>
	// <permission status="unrestricted">
	// </permission>
	// <user-agent>
	// <software>App</software>
	// <device>phone</device>
	// </user-agent>
	// <iq to='juliet@verona.lit/balcony' id='2' type='error'>
	// <error type='cancel'>
	// <service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>
	// <text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>the client is logged out and its token is void; only a new password keeps it from logging in with the one that it has had</text>
	// <password-reset-required xmlns='urn:xmpp:cam:0'/>
	// </error>
	// </iq>
}

var entry = regexp.MustCompile(`<client connected="(\w+)" id="(\w+)" type="session">`)

// listed asks for the list: id and whether it is connected, and <fast/> marked.
func listed(c *sessiontest.Client) (all []string) {
	for part := range strings.SplitSeq(c.Ask("<iq type='get' id='l'><list xmlns='urn:xmpp:cam:0'/></iq>"), "</client>") {
		if m := entry.FindStringSubmatch(part); m != nil {
			line := m[2] + " " + m[1]
			if strings.Contains(part, "<fast>") {
				line += " fast"
			}
			all = append(all, line)
		}
	}
	return all
}

// TestList: devices with tokens, whether they are here or not, and sessions of
// none; several sessions of a device are one client, an expired token is no access.
func TestList(t *testing.T) {
	h := sessiontest.New()
	defer h.Close()
	s := &shelf{devices: []auth.Device{device("phone", "phone", time.Hour), device("tablet", "tablet", time.Hour),
		device("old", "old", -time.Second), device("back", "back", -time.Second)}}
	access.New(h.Manager, s)
	balcony := h.Online("juliet@verona.lit/balcony")
	for resource, id := range map[string]string{"phone1": "phone", "phone2": "phone", "desk": "desk", "back": "back"} {
		h.Bind("juliet@verona.lit/" + resource).SetDevice(sessionmgr.Device{ID: id, Software: "X", Name: id})
	}
	h.Online("romeo@verona.lit/orchard")
	want := []string{"phone true fast", "tablet false fast", balcony.ID() + " true", "desk true", "back true"}
	got := listed(balcony)
	if len(got) != len(want) {
		t.Errorf("%q", got)
	}
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("%s is missing in %q", w, got)
		}
	}
}

// TestRevoke: who is meant loses token and sessions, nobody else anything.
func TestRevoke(t *testing.T) {
	for _, c := range []struct {
		id       string
		left     string // of the sessions
		tokens   int    // left
		answered string
	}{
		{"phone", "balcony desk", 1, "password-reset-required"},
		{"tablet", "balcony desk phone1 phone2", 1, "password-reset-required"},
		{"desk", "balcony phone1 phone2", 2, "password-reset-required"},     // a device without a token
		{"session", "balcony desk phone1 phone2", 2, "item-not-found"},      // no such thing
		{"romeo's", "balcony desk phone1 phone2", 2, "item-not-found"},      // another account's session
		{"own", "desk phone1 phone2", 2, "password-reset-required"},         // the answer comes first
		{"unbound", "balcony desk phone1 phone2", 2, "item-not-found"},      // nobody has logged in there
		{"&#xe9;" + "x", "balcony desk phone1 phone2", 2, "item-not-found"}, // no id of ours
	} {
		t.Run(c.id, func(t *testing.T) {
			h := sessiontest.New()
			defer h.Close()
			s := &shelf{devices: []auth.Device{device("phone", "phone", time.Hour), device("tablet", "tablet", time.Hour)}}
			access.New(h.Manager, s)
			all := map[string]*sessiontest.Client{}
			for _, resource := range []string{"balcony", "desk", "phone1", "phone2"} {
				all[resource] = h.Online("juliet@verona.lit/" + resource)
				if device := strings.Trim(resource, "12"); device != "balcony" {
					all[resource].SetDevice(sessionmgr.Device{ID: device})
				}
			}
			romeo := h.Online("romeo@verona.lit/orchard")
			id := strings.NewReplacer("romeo's", romeo.ID(), "own", all["balcony"].ID()).Replace(c.id)
			all["balcony"].Got()
			got := all["balcony"].Ask("<iq type='set' id='r'><revoke xmlns='urn:xmpp:cam:0' id='" + id + "'/></iq>")
			hadToken := c.id == "phone" || c.id == "tablet"
			if !strings.Contains(got, c.answered) || strings.Contains(got, "its token is void") != hadToken {
				t.Errorf("answered %s", got)
			}
			var left []string
			for resource, x := range all {
				if x.State() == sessionmgr.Bound {
					left = append(left, resource)
				} else if x.Cause().Code != sessionmgr.Kicked {
					t.Errorf("%s ended with %v", resource, x.Cause())
				}
			}
			slices.Sort(left)
			if strings.Join(left, " ") != c.left || len(s.devices) != c.tokens || romeo.State() != sessionmgr.Bound {
				t.Errorf("left %q, %d with tokens, romeo is %v", left, len(s.devices), romeo.State())
			}
		})
	}
}

// TestRevokeWhileLoggingIn ends a session of the device that isn't bound yet.
func TestRevokeWhileLoggingIn(t *testing.T) {
	h := sessiontest.New()
	defer h.Close()
	access.New(h.Manager, &shelf{devices: []auth.Device{device("phone", "phone", time.Hour)}})
	c := h.Online("juliet@verona.lit/balcony")
	s := h.Open(nil, sessionmgr.LinkInfo{})
	s.SetDevice(sessionmgr.Device{ID: "phone"})
	h.Authenticated(s, jid.MustParse("juliet@verona.lit"))
	c.Send("<iq type='set' id='r'><revoke xmlns='urn:xmpp:cam:0' id='phone'/></iq>")
	if s.State() != sessionmgr.Destroyed {
		t.Errorf("it is %v", s.State())
	}
}

// TestRefusals: bad requests, requests about others, and a store that fails.
func TestRefusals(t *testing.T) {
	h := sessiontest.New()
	defer h.Close()
	s := &shelf{devices: []auth.Device{device("phone", "phone", time.Hour)}}
	access.New(h.Manager, s)
	c := h.Online("juliet@verona.lit/balcony")
	h.Online("romeo@verona.lit/orchard")
	long := strings.Repeat("x", 9000)
	for _, x := range []struct{ typ, to, payload, want string }{
		{"set", "", "<list xmlns='urn:xmpp:cam:0'/>", "service-unavailable"},
		{"get", "", "<revoke xmlns='urn:xmpp:cam:0' id='phone'/>", "service-unavailable"},
		{"set", "", "<revoke xmlns='urn:xmpp:cam:0'/>", "bad-request"},
		{"set", "", "<revoke xmlns='urn:xmpp:cam:0' id=''/>", "bad-request"},
		{"set", "", "<revoke xmlns='urn:xmpp:cam:0' x:id='phone' xmlns:x='y'/>", "bad-request"},
		{"set", "", "<revoke xmlns='urn:xmpp:cam:0' id='" + long + "'/>", "item-not-found"},
		{"set", "", "<revoke xmlns='urn:xmpp:cam:1' id='phone'/>", "service-unavailable"},
		{"set", "", "<unknown xmlns='urn:xmpp:cam:0' id='phone'/>", "service-unavailable"},
		{"get", "romeo@verona.lit", "<list xmlns='urn:xmpp:cam:0'/>", "service-unavailable"},
		{"set", "romeo@verona.lit", "<revoke xmlns='urn:xmpp:cam:0' id='phone'/>", "service-unavailable"},
		{"get", "verona.lit", "<list xmlns='urn:xmpp:cam:0'/>", "service-unavailable"},
		{"get", "juliet@verona.lit", "<list xmlns='urn:xmpp:cam:0'><x/>text</list>", "type='result'"},
	} {
		to := ""
		if x.to != "" {
			to = " to='" + x.to + "'"
		}
		got := c.Ask("<iq type='" + x.typ + "' id='1'" + to + ">" + x.payload + "</iq>")
		if !strings.Contains(got, x.want) || strings.Contains(got, "password-reset-required") {
			t.Errorf("%+v: %s", x, got)
		}
	}
	if len(s.devices) != 1 {
		t.Error("something was revoked")
	}
	s.err = errors.New("broken")
	for _, payload := range []string{"<list xmlns='urn:xmpp:cam:0'/>", "<revoke xmlns='urn:xmpp:cam:0' id='phone'/>"} {
		typ := "get"
		if strings.Contains(payload, "revoke") {
			typ = "set"
		}
		if got := c.Ask("<iq type='" + typ + "' id='1'>" + payload + "</iq>"); !strings.Contains(got, "internal-server-error") {
			t.Errorf("with a broken store: %s", got)
		}
	}
	for _, scope := range []sessionmgr.Scope{sessionmgr.OnServer, sessionmgr.OnSelf} {
		if !slices.Contains(h.Features(scope), access.NS) {
			t.Errorf("not announced for scope %d", scope)
		}
	}
}
