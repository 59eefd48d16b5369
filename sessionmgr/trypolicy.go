package sessionmgr

import (
	"strings"

	"weir/jid"
	"weir/policy"
	"weir/stanza"
)

// Trial is a binding that is only thought of.
type Trial struct {
	Account  jid.JID
	Role     string      // that the account has
	Device   Device      // of the client; the zero Device if it doesn't say
	Resource string      // that it asks for, or its tag if Inline; "" for none
	Inline   bool        // it is bound with its login (XEP-0386)
	Set      *policy.Set // nil for the rules in force
}

// Evicted is a session that would end for another.
type Evicted struct {
	ID    string `json:"id"`
	JID   string `json:"jid"`
	State string `json:"state"`
	Why   string `json:"why"`
	Told  string `json:"told,omitempty"` // the stream error, where it has a link
}

// Outcome is what becomes of a binding.
type Outcome struct {
	Account  string    `json:"account"`
	Role     string    `json:"role"`
	Class    string    `json:"class"` // of the device, "" for none
	Rule     string    `json:"rule"`  // "" where none is for the client
	Policy   string    `json:"policy"`
	Bound    bool      `json:"bound"`
	Resource string    `json:"resource"` // that it gets; "" where the server makes one or it gets none
	Replaces []Evicted `json:"replaces"` // who ends for it
	Wait     float64   `json:"wait"`     // seconds that it waits before, since clients replace each other again and again
	Told     string    `json:"told"`     // what its client is told
}

// madeLater stands for the part of a resource that the server makes.
const madeLater = "…"

// Try says what would become of a binding at this moment. It changes nothing.
func (m *Manager) Try(t Trial) (Outcome, error) {
	name := t.Resource
	switch {
	case t.Inline && name != "":
		name += "/" + madeLater
	case name == "":
		name = madeLater
	}
	full, err := t.Account.Bare().WithResource(name)
	if err != nil {
		return Outcome{}, err
	}
	n := newcomer{account: full.Bare(), full: full, own: t.Inline}
	n.device = t.Device.ID
	n.client = policy.Client{Role: t.Role, Software: t.Device.Software, Name: t.Device.Name, Resource: full.Resource(), Known: t.Device.ID != ""}
	var v ruling
	m.inOrder(func() {
		set := t.Set
		if set == nil {
			set = m.policies.Load().Set
		}
		v = m.judge(set, &n)
	})
	o := Outcome{
		Account: full.Bare().String(), Role: t.Role, Class: v.set.Class(&n.client), Rule: v.set.Text(v.rule), Policy: v.rule.Kind.String(),
		Bound: v.refused == nil, Replaces: []Evicted{},
	}
	m.foretell(&o, &v, &n)
	return o, nil
}

// foretell adds who would be told what.
func (m *Manager) foretell(o *Outcome, v *ruling, n *newcomer) {
	if v.refused != nil {
		o.Told = errorAsRead(v.refused)
		if n.own {
			o.Told = "<success/> without <bound/>; a bind of the older kind then " + o.Told
		}
		return
	}
	for i := range v.replaced {
		old := &v.replaced[i]
		r := Evicted{ID: old.ID(), JID: old.JID().String(), State: old.State().String(), Why: old.why.String()}
		if old.Link() != nil {
			r.Told = "<stream:error><conflict/>"
			if old.why == byRule {
				r.Told += "<text>" + v.toldWhy() + "</text>"
			}
			r.Told += "</stream:error>"
		}
		o.Replaces = append(o.Replaces, r)
	}
	if turns := new(Session).turnsAfter(v, 0); turns >= loopTurns {
		o.Wait = loopWaitAt(turns).Seconds()
	}
	o.Told = "its resource"
	switch {
	case v.rename:
		o.Told += ", made by the server since another has the one it asks for"
	case n.client.Resource == madeLater || n.own:
		o.Told += ", made by the server"
	default:
		o.Resource = n.client.Resource
	}
}

// errorAsRead is a stanza error in the form in which its reader gets it.
func errorAsRead(e *stanza.Error) string {
	var b strings.Builder
	b.WriteString("<error type='" + string(e.Type) + "'><" + string(e.Condition) + "/>")
	for _, text := range e.Text {
		b.WriteString("<text>" + text + "</text>")
	}
	b.WriteString("</error>")
	return b.String()
}
