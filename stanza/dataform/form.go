package dataform

import (
	"encoding/xml"
	"errors"
	"fmt"
	"slices"
	"strings"

	"weir/jid"
)

// NS is the namespace of data forms.
const NS = "jabber:x:data"

// Types of a form (XEP-0004 §3.1).
const (
	TypeForm   = "form"   // asks
	TypeSubmit = "submit" // answers
	TypeCancel = "cancel" // doesn't want to answer
	TypeResult = "result" // tells
)

// Types of a field (XEP-0004 §3.3). A field without one is text-single.
const (
	Boolean     = "boolean"
	Fixed       = "fixed"
	Hidden      = "hidden"
	JIDMulti    = "jid-multi"
	JIDSingle   = "jid-single"
	ListMulti   = "list-multi"
	ListSingle  = "list-single"
	TextMulti   = "text-multi"
	TextPrivate = "text-private"
	TextSingle  = "text-single"
)

// Form is a data form (XEP-0004 §3).
type Form struct {
	XMLName      xml.Name  `xml:"jabber:x:data x"`
	Type         string    `xml:"type,attr"`
	Title        string    `xml:"title,omitempty"`
	Instructions []string  `xml:"instructions"`
	Fields       []Field   `xml:"field"`
	Reported     *Reported `xml:"reported"`
	Items        []Item    `xml:"item"`
}

// Field is one field of a form (XEP-0004 §3.2).
type Field struct {
	Var      string    `xml:"var,attr,omitempty"`
	Type     string    `xml:"type,attr,omitempty"`
	Label    string    `xml:"label,attr,omitempty"`
	Desc     string    `xml:"desc,omitempty"`
	Required *struct{} `xml:"required"`
	Values   []string  `xml:"value"`
	Options  []Option  `xml:"option"`
}

// Option is one choice of a list.
type Option struct {
	Label string `xml:"label,attr,omitempty"`
	Value string `xml:"value"`
}

// Reported names the columns of items (XEP-0004 §3.4).
type Reported struct {
	Fields []Field `xml:"field"`
}

// Item is one row of a result.
type Item struct {
	Fields []Field `xml:"field"`
}

// Must marks a field as required.
func Must() *struct{} { return &struct{}{} }

// Typed is the hidden field that says what a form is for (XEP-0004 §3.2, as the
// registrar has it).
func Typed(formType string) Field {
	return Field{Var: "FORM_TYPE", Type: Hidden, Values: []string{formType}}
}

// Value returns the first value of a field, "" without one.
func (f *Form) Value(name string) string {
	if v := f.Values(name); len(v) > 0 {
		return v[0]
	}
	return ""
}

// Values returns the values of a field.
func (f *Form) Values(name string) []string {
	if f == nil {
		return nil
	}
	for i := range f.Fields {
		if f.Fields[i].Var == name {
			return f.Fields[i].Values
		}
	}
	return nil
}

// Size returns about how many bytes the form holds.
func (f *Form) Size() int {
	if f == nil {
		return 0
	}
	n := 256 + len(f.Title)
	for _, s := range f.Instructions {
		n += len(s) + 16
	}
	n += size(f.Fields)
	for i := range f.Items {
		n += size(f.Items[i].Fields)
	}
	return n
}

func size(fields []Field) (n int) {
	for i := range fields {
		x := &fields[i]
		n += 128 + len(x.Var) + len(x.Type) + len(x.Label) + len(x.Desc)
		for _, v := range x.Values {
			n += len(v) + 16
		}
		for _, o := range x.Options {
			n += len(o.Label) + len(o.Value) + 32
		}
	}
	return n
}

// Check returns what was submitted as the form that asked has it: its fields in
// their order, with their type, and the values of the answer in the form of the
// field's type; fields that weren't asked for are left out, for those that are
// missing the values of the form hold where it has some. An error says which
// field doesn't fit; its text is for the one who filled the form in.
func (f *Form) Check(answer *Form) (*Form, error) {
	given := make(map[string][]string)
	if answer != nil {
		for i := range answer.Fields {
			x := &answer.Fields[i]
			if _, twice := given[x.Var]; twice {
				return nil, fmt.Errorf("the field %q is there twice", x.Var)
			}
			given[x.Var] = x.Values
		}
	}
	out := &Form{Type: TypeSubmit}
	for i := range f.Fields {
		ask := &f.Fields[i]
		if ask.Var == "" || ask.Type == Fixed {
			continue
		}
		values, ok := given[ask.Var]
		if !ok {
			values = ask.Values // XEP-0004 §3.2: what the form has is the default
		}
		values, err := ask.check(values)
		if err != nil {
			return nil, fmt.Errorf("the field %q %w", ask.Var, err)
		}
		out.Fields = append(out.Fields, Field{Var: ask.Var, Type: ask.Type, Values: values})
	}
	return out, nil
}

// check returns the values of an answer as the type of the field has them.
func (x *Field) check(values []string) ([]string, error) {
	if x.Type == Hidden {
		if x.Var == "FORM_TYPE" && !slices.Equal(values, x.Values) {
			return nil, fmt.Errorf("is not %q", strings.Join(x.Values, ""))
		}
		return x.Values, nil // not the client's to change
	}
	multi := x.Type == JIDMulti || x.Type == ListMulti || x.Type == TextMulti
	if x.Type != TextMulti && x.Type != TextPrivate {
		values = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return strings.TrimSpace(v) == "" })
	}
	switch {
	case x.Required != nil && len(strings.Join(values, "")) == 0:
		return nil, errors.New("has to be filled in")
	case !multi && len(values) > 1:
		return nil, errors.New("takes one value only")
	}
	for i, v := range values {
		var err error
		if values[i], err = x.one(v); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// one reads one value.
func (x *Field) one(v string) (string, error) {
	switch x.Type {
	case Boolean:
		switch strings.TrimSpace(v) {
		case "1", "true":
			return "true", nil
		case "0", "false":
			return "false", nil
		}
		return "", errors.New("is neither true nor false")
	case JIDSingle, JIDMulti:
		j, err := jid.Parse(strings.TrimSpace(v))
		if err != nil {
			return "", fmt.Errorf("has something else than an address: %q", v)
		}
		return j.String(), nil
	case ListSingle, ListMulti:
		if !slices.ContainsFunc(x.Options, func(o Option) bool { return o.Value == v }) {
			return "", fmt.Errorf("has something else than its choices: %q", v)
		}
	}
	return v, nil
}
