package sessionmgr

import (
	"fmt"
	"slices"

	"weir/jid"
	"weir/policy"
	"weir/stanza"

	"mellium.im/xmpp/stream"
)

// Policies for several sessions of an account: what becomes of a binding is
// decided in one place, [Manager.judge], which changes nothing. tryBind obeys it,
// with the pipeline's token; Manager.Try tells an admin what it says. docs/policies.md
// has it in words.

// policies are the rules in force and where they come from.
type policies struct {
	*policy.Set
	origin string
}

// SetPolicies has the rules of a set decide about every binding from now on; one
// that has begun and not taken its place included. Sessions that are there stay, and
// those that a rule of the kind Mirror is for see all from now on. origin is for
// [Manager.Policies].
func (m *Manager) SetPolicies(set *policy.Set, origin string) {
	var before *policies
	m.inOrder(func() { before = m.policies.Swap(&policies{set, origin}) })
	if !before.Empty() || !set.Empty() {
		m.log.Info("policies for sessions", "rules", len(set.Options().Rules), "from", origin)
	}
	if !before.Mirrors() && !set.Mirrors() {
		return
	}
	m.RangeOf(Filter{}, func(s *Session) bool {
		m.inOrder(func() { m.mark(s) })
		return true
	})
}

// Policies returns the rules in force, and where they come from.
func (m *Manager) Policies() (set *policy.Set, origin string) {
	p := m.policies.Load()
	return p.Set, p.origin
}

// judged has a session whose rule may be another now see all, or no longer.
func (m *Manager) judged(s *Session) {
	if m.policies.Load().Mirrors() {
		m.pipe.run(func() { m.mark(s) })
	}
}

// mark notes whether the rule for a bound session is that it sees all. Runs with
// the token.
func (m *Manager) mark(s *Session) {
	set := m.policies.Load()
	if set.Empty() && !s.carbons.forced() {
		return
	}
	f := s.facts()
	s.carbons.force(f.bound && set.Find(&f.client).Kind == policy.Mirror)
}

// facts are what policies look at of a session.
type facts struct {
	client policy.Client
	device string // id, "" if its client didn't say
	asleep bool
	bound  bool
}

func (s *Session) facts() facts {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := facts{asleep: s.state == Hibernating, bound: s.state == Bound || s.state == Hibernating}
	f.client = policy.Client{Role: s.role, Resource: s.full.Resource()}
	if d := s.device; d != nil {
		f.device = d.ID
		f.client.Software, f.client.Name, f.client.Known = d.Software, d.Name, d.ID != ""
	}
	return f
}

// PolicyOf returns the class of the session's device, and which rule of a set is for
// it; "" for none.
func (s *Session) PolicyOf(set *policy.Set) (class, rule string) {
	if set.Empty() {
		return "", ""
	}
	f := s.facts()
	return set.Class(&f.client), set.Text(set.Find(&f.client))
}

// newcomer is a session that is to be bound, or one that is only thought of.
type newcomer struct {
	account jid.JID
	full    jid.JID
	own     bool // Binding.Own
	facts
}

// reason says why a session ends for another.
type reason uint8

const (
	sameName   reason = iota + 1 // it has the resource (RFC 6120 §7.7.2.2)
	sameDevice                   // its client has come back in another way (XEP-0386 §3.2)
	byRule                       // the policy
	makesRoom                    // it hibernates, longer than others, and there are as many as may be
)

var reasonNames = [...]string{sameName: "same-resource", sameDevice: "same-device", byRule: "policy", makesRoom: "makes-room"}

// String returns the name that answers to admins have.
func (r reason) String() string { return reasonNames[r] }

// ousted is a session that ends for another.
type ousted struct {
	*Session
	why reason
	// Once it has ended.
	first   bool // by this
	was     State
	binding bool
	link    Link
	goodbye *stream.Error
}

// ruling is what is to become of a binding.
type ruling struct {
	set      *policy.Set
	rule     *policy.Rule
	refused  *stanza.Error // nil: it is not
	replaced []ousted      // who has to end for it
	rename   bool          // another has the name and keeps it
	bound    bool          // it was bound
}

// spares reports whether a session may stay.
func (v *ruling) spares(s *Session) bool {
	return !slices.ContainsFunc(v.replaced, func(o ousted) bool { return o.Session == s })
}

func (v *ruling) oust(s *Session, why reason) {
	v.replaced = append(v.replaced, ousted{Session: s, why: why})
}

// refuse has nobody end for a binding that fails.
func (v *ruling) refuse(e stanza.Error) { v.refused, v.replaced, v.rename = &e, nil, false }

// judge decides what is to become of a binding. It changes nothing; who acts by it
// runs with the token.
func (m *Manager) judge(set *policy.Set, n *newcomer) ruling {
	v := ruling{set: set, rule: set.Find(&n.client)}
	all := m.registry.bound(n.account)
	peers := all // those that the rule is for
	if !set.Empty() {
		peers = nil
	}
	for _, x := range all {
		f := x.facts()
		peer := set.Empty()
		if !peer && set.Find(&f.client) == v.rule {
			peer, peers = true, append(peers, x)
		}
		if !m.seat(&v, n, x, &f, peer) {
			return v
		}
	}
	if !m.named(&v, n) {
		return v
	}
	if v.rule.Max > 0 && !v.fit(peers, v.rule.Max) {
		v.refuse(stanza.ResourceConstraint(fmt.Sprintf("this account has %d such sessions, as many as it may have (%s)", len(peers), v.rule)))
		return v
	}
	if !v.fit(all, m.opts().MaxSessions) {
		v.refuse(stanza.ResourceConstraint(fmt.Sprintf("this account has %d sessions, as many as it may have", len(all))))
	}
	return v
}

// seat decides whether a session of the account ends for the newcomer, by its
// device and by the rule, if that is for both of them; false: the newcomer is
// refused.
func (m *Manager) seat(v *ruling, n *newcomer, x *Session, f *facts, peer bool) bool {
	kind := v.rule.Kind
	back := n.device != "" && n.device == f.device // its own client is back
	name := n.client.Resource == f.client.Resource
	switch {
	case back && (n.own || kind == policy.PerDevice || peer && kind != policy.Open && kind != policy.Mirror):
		v.oust(x, sameDevice)
	case kind == policy.PerDevice && name && (n.device == "" || f.device == ""): // the name is all that is known of one
		v.oust(x, sameName)
	case !peer:
	case kind == policy.Single, kind == policy.SingleRefuse && f.asleep:
		v.oust(x, byRule)
	case kind == policy.SingleRefuse && name:
		v.refuse(stanza.Conflict("this account may have one session at a time (" + v.rule.String() + ")")) // RFC 6120 §7.7.2.2
		return false
	case kind == policy.SingleRefuse:
		v.refuse(stanza.ResourceConstraint("this account may have one session at a time (" + v.rule.String() + ")")) // RFC 6120 §7.6.2.1
		return false
	}
	return true
}

// named decides what becomes of who has the resource, or is about to leave it;
// false: the newcomer is refused.
func (m *Manager) named(v *ruling, n *newcomer) bool {
	old := m.registry.holder(n.full)
	if old == nil || !v.spares(old) {
		return true
	}
	f := old.facts()
	switch {
	case n.own && n.device != "" && n.device == f.device:
		v.oust(old, sameDevice)
	case n.own:
		v.rename = true
	case m.o.Conflict == ConflictRefuse && !f.asleep: // else it is its own client that lost it
		v.refuse(stanza.Conflict()) // RFC 6120 §7.7.2.2
		return false
	case m.o.Conflict == ConflictRename:
		v.rename = true
	default:
		v.oust(old, sameName)
	}
	return true
}

// fit reports whether one more session may be among some, of which those that
// are to end don't count. Where it may not, those that have hibernated longest make
// room (RFC 6120 §7.6.2.1).
func (v *ruling) fit(some []*Session, most int) bool {
	var left []*Session
	for _, x := range some {
		if v.spares(x) {
			left = append(left, x)
		}
	}
	for len(left) >= most {
		oldest, _, _ := asleepOf(left)
		if oldest == nil {
			return false
		}
		v.oust(oldest, makesRoom)
		left = slices.DeleteFunc(left, func(x *Session) bool { return x == oldest })
	}
	return true
}
