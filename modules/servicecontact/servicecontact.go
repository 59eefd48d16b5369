// Package servicecontact tells whom to turn to about the server (XEP-0157): for
// abuse, security, support and so on.
//
// It owns nothing but the settings. It must not know how the form travels: service
// discovery has it among what the server tells about itself. Its functions keep
// nothing and may be called from anywhere.
//
// Start reading at [Form].
package servicecontact

import (
	"fmt"
	"net/url"

	"weir/stanza/dataform"
)

// FormType says that a form is about a server.
const FormType = "http://jabber.org/network/serverinfo"

// Options are addresses: URIs like "mailto:abuse@example.org",
// "xmpp:admin@example.org" or "https://example.org/support". Each may have several;
// empty by default.
type Options struct {
	Abuse    []string // for reports of abuse
	Admin    []string // of the admins
	Feedback []string // for opinions
	Sales    []string // for those who want to buy something
	Security []string // for reports of holes
	Status   []string // where to see how the service is
	Support  []string // for those who need help
}

// fields are the settings with their names in the form (XEP-0157 §3).
func (o *Options) fields() []dataform.Field {
	return []dataform.Field{
		{Var: "abuse-addresses", Values: o.Abuse},
		{Var: "admin-addresses", Values: o.Admin},
		{Var: "feedback-addresses", Values: o.Feedback},
		{Var: "sales-addresses", Values: o.Sales},
		{Var: "security-addresses", Values: o.Security},
		{Var: "status-addresses", Values: o.Status},
		{Var: "support-addresses", Values: o.Support},
	}
}

// Validate says which address is none.
func (o *Options) Validate() error {
	for _, f := range o.fields() {
		for _, v := range f.Values {
			if u, err := url.Parse(v); err != nil || u.Scheme == "" || u.Opaque == "" && u.Host == "" && u.Path == "" {
				return fmt.Errorf("servicecontact: %s: %q is no URI like mailto:admin@example.org or https://example.org/help", f.Var, v)
			}
		}
	}
	return nil
}

// Form returns what the server tells; nil where there is no address.
func Form(o Options) (*dataform.Form, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	form := &dataform.Form{Type: dataform.TypeResult, Fields: []dataform.Field{dataform.Typed(FormType)}}
	for _, f := range o.fields() {
		if len(f.Values) > 0 {
			f.Type = dataform.ListMulti
			form.Fields = append(form.Fields, f)
		}
	}
	if len(form.Fields) == 1 {
		return nil, nil
	}
	return form, nil
}
