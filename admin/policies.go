package admin

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"weir/auth"
	"weir/policy"
	"weir/sessionmgr"
)

// Where policies come from.
const (
	PoliciesConfigured = "configuration"
	PoliciesSet        = "control socket" // until the next reload or restart
)

// Policies are the rules that say which sessions an account may have, and how many
// sessions each is for.
type Policies struct {
	Classes  []string `json:"classes"`
	Rules    []string `json:"rules"`
	Origin   string   `json:"origin"`
	Sessions []int    `json:"sessions"` // bound ones that each rule is for, in their order, and at the end those that none is for
}

// PolicyChange is what takes the place of the rules, and of the classes unless those
// are nil.
type PolicyChange struct {
	Classes []string `json:"classes"`
	Rules   []string `json:"rules"`
}

// getPolicies answers GET /v1/policy.
func (c *Control) getPolicies(_ http.ResponseWriter, r *http.Request) (any, error) {
	if err := onlyParameters(r); err != nil {
		return nil, err
	}
	return c.policies(), nil
}

func (c *Control) policies() Policies {
	set, origin := c.sessions.Policies()
	o := set.Options()
	p := Policies{Classes: o.Classes, Rules: o.Rules, Origin: origin, Sessions: make([]int, len(o.Rules)+1)}
	c.sessions.RangeOf(sessionmgr.Filter{}, func(s *sessionmgr.Session) bool {
		if bound := s.State() == sessionmgr.Bound || s.State() == sessionmgr.Hibernating; bound {
			_, rule := s.PolicyOf(set)
			at := slices.Index(o.Rules, rule)
			if at < 0 {
				at = len(o.Rules)
			}
			p.Sessions[at]++
		}
		return true
	})
	return p
}

// setPolicies answers PUT /v1/policy.
func (c *Control) setPolicies(_ http.ResponseWriter, r *http.Request) (any, error) {
	var change PolicyChange
	if err := body(r, &change); err != nil {
		return nil, err
	}
	if change.Rules == nil {
		return nil, problemf(http.StatusBadRequest, "say which rules there are to be; an empty list is none")
	}
	set, err := c.parsePolicies(change.Classes, change.Rules)
	if err != nil {
		return nil, err
	}
	c.sessions.SetPolicies(set, PoliciesSet)
	return c.policies(), nil
}

// parsePolicies makes a set of rules, with the classes that there are if nil is given.
func (c *Control) parsePolicies(classes, rules []string) (*policy.Set, error) {
	if classes == nil {
		set, _ := c.sessions.Policies()
		classes = set.Options().Classes
	}
	set, err := policy.Parse(policy.Options{Classes: classes, Rules: rules})
	if err != nil {
		return nil, problemf(http.StatusBadRequest, "%s", strings.NewReplacer("Classes,", "classes,", "Rules,", "rules,").Replace(plain(err)))
	}
	return set, nil
}

// PolicyTest is a login that is only thought of.
type PolicyTest struct {
	Account  string
	Role     string // "" for that of the account
	Resource string // that the client asks for; its tag if any of the next three is given
	Device   string // id of an installation, as listings have it, or another word for one that is new
	Software string
	Name     string // of the device
	Classes  []string
	Rules    []string // nil for those in force
}

func (t *PolicyTest) path() string {
	v := url.Values{"account": {t.Account}}
	for name, value := range map[string]string{"role": t.Role, "resource": t.Resource, "device": t.Device, "software": t.Software, "name": t.Name} {
		if value != "" {
			v.Set(name, value)
		}
	}
	for name, list := range map[string][]string{"class": t.Classes, "rule": t.Rules} {
		if len(list) > 0 {
			v[name] = list
		}
	}
	return "/v1/policy/test?" + v.Encode()
}

// testPolicy answers GET /v1/policy/test?…: what would become of a login.
func (c *Control) testPolicy(_ http.ResponseWriter, r *http.Request) (any, error) {
	if err := onlyParameters(r, "account", "role", "resource", "device", "software", "name", "class", "rule"); err != nil {
		return nil, err
	}
	q := r.URL.Query()
	j, err := accountJID(q.Get("account"))
	if err != nil {
		return nil, err
	}
	t := sessionmgr.Trial{
		Account: j, Role: q.Get("role"), Resource: q.Get("resource"),
		Device: sessionmgr.Device{ID: q.Get("device"), Software: q.Get("software"), Name: q.Get("name")},
	}
	t.Inline = t.Device != sessionmgr.Device{}
	role, err := c.users.Role(r.Context(), j)
	if err != nil {
		return nil, about(j, err)
	}
	if t.Role == "" {
		t.Role = role
	}
	if err := auth.CheckRole(t.Role); err != nil {
		return nil, about(j, err)
	}
	if q.Has("rule") || q.Has("class") {
		rules := q["rule"]
		if rules == nil {
			set, _ := c.sessions.Policies()
			rules = set.Options().Rules
		}
		if t.Set, err = c.parsePolicies(q["class"], rules); err != nil {
			return nil, err
		}
	}
	o, err := c.sessions.Try(t)
	if err != nil {
		return nil, problemf(http.StatusBadRequest, "that can't be a resource: %s", plain(err))
	}
	return o, nil
}

// Policies returns the rules in force.
func (c *Client) Policies(ctx context.Context) (Policies, error) {
	var p Policies
	return p, c.call(ctx, http.MethodGet, "/v1/policy", nil, &p)
}

// SetPolicies puts rules in place of those in force, until the next reload or
// restart.
func (c *Client) SetPolicies(ctx context.Context, change PolicyChange) (Policies, error) {
	var p Policies
	return p, c.call(ctx, http.MethodPut, "/v1/policy", change, &p)
}

// TestPolicy says what would become of a login.
func (c *Client) TestPolicy(ctx context.Context, t PolicyTest) (sessionmgr.Outcome, error) {
	var o sessionmgr.Outcome
	return o, c.call(ctx, http.MethodGet, t.path(), nil, &o)
}
