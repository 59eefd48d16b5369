package mam

import (
	"context"
	"slices"
	"strings"
	"time"

	"weir/jid"
	"weir/stanza"
)

// formXML is a data form (XEP-0004 §3).
type formXML struct {
	Type   string     `xml:"type,attr"`
	Fields []fieldXML `xml:"jabber:x:data field"`
}

type fieldXML struct {
	Var    string   `xml:"var,attr"`
	Values []string `xml:"jabber:x:data value"`
}

// fields is the form of a query: name and type of each field, and how it is read.
// A field that is there without a value says nothing (XEP-0004 §3.6).
var fields = []struct {
	name, kind string
	read       func(q *query, values []string) error
}{
	{"with", "jid-single", func(q *query, v []string) (err error) { // XEP-0313 §4.1.1
		if q.with, err = jid.Parse(v[0]); err != nil {
			return stanza.JIDMalformed("with is no address")
		}
		return nil
	}},
	{"start", "text-single", func(q *query, v []string) error { return moment(&q.start, "start", v[0]) }}, // XEP-0313 §4.1.2
	{"end", "text-single", func(q *query, v []string) error { return moment(&q.end, "end", v[0]) }},
	{"before-id", "text-single", func(q *query, v []string) error { return add(&q.before, v[0]) }}, // XEP-0313 §4.1.3
	{"after-id", "text-single", func(q *query, v []string) error { return add(&q.after, v[0]) }},
	{"ids", "list-multi", readIDs},
	{"include-groupchat", "boolean", func(_ *query, v []string) error { // XEP-0313 §4.1.4: there are none either way
		switch strings.TrimSpace(v[0]) {
		case "true", "false", "1", "0": // XEP-0004 §3.3
			return nil
		}
		return stanza.BadRequest("include-groupchat is neither true nor false")
	}},
}

// into reads a form that was filled in.
func (x *formXML) into(q *query) error {
	if x.Type != "submit" {
		return stanza.BadRequest("the form is not submitted")
	}
	seen := make(map[string]bool, len(x.Fields))
	for i := range x.Fields {
		f := &x.Fields[i]
		if seen[f.Var] {
			return stanza.BadRequest("a field is there twice")
		}
		seen[f.Var] = true
		if err := f.into(q); err != nil {
			return err
		}
	}
	if !seen["FORM_TYPE"] {
		return stanza.BadRequest("the form has no FORM_TYPE")
	}
	return nil
}

func (f *fieldXML) into(q *query) error {
	if f.Var == "FORM_TYPE" { // XEP-0313 §4.1
		if len(f.Values) != 1 || f.Values[0] != NS {
			return stanza.BadRequest("the form is of another FORM_TYPE")
		}
		return nil
	}
	for i := range fields {
		known := &fields[i]
		if known.name != f.Var {
			continue
		}
		values := slices.DeleteFunc(slices.Clone(f.Values), func(v string) bool { return v == "" })
		switch {
		case len(values) == 0:
			return nil
		case len(values) > 1 && known.kind != "list-multi":
			return stanza.BadRequest("more than one value of " + known.name)
		}
		return known.read(q, values)
	}
	return stanza.FeatureNotImplemented("a field that this archive doesn't know") // XEP-0313 §4.1.5
}

// moment reads a DateTime of XEP-0082 §3.2.
func moment(t *time.Time, name, v string) (err error) {
	if *t, err = time.Parse(time.RFC3339, strings.TrimSpace(v)); err != nil {
		return stanza.BadRequest(name + " is no date and time")
	}
	return nil
}

func readIDs(q *query, values []string) error {
	if len(values) > maxIDs {
		return stanza.PolicyViolation("more than 500 ids")
	}
	for _, v := range values {
		if err := add(&q.ids, v); err != nil {
			return err
		}
	}
	slices.Sort(q.ids)
	q.ids = slices.Compact(q.ids)
	return nil
}

// form answers which fields there are (XEP-0313 §4.1.5).
func (*Module) form(context.Context, *stanza.Stanza) (any, error) {
	b := []byte("<query xmlns='" + NS + "'><x xmlns='jabber:x:data' type='form'>" +
		"<field type='hidden' var='FORM_TYPE'><value>" + NS + "</value></field>")
	for i := range fields {
		b = append(b, "<field type='"+fields[i].kind+"' var='"+fields[i].name+"'"...)
		if fields[i].kind != "list-multi" {
			b = append(b, "/>"...)
			continue
		}
		// XEP-0122 §3.2.2: the list is open, and isn't sent.
		b = append(b, "><validate xmlns='http://jabber.org/protocol/xdata-validate' datatype='xs:string'><open/></validate></field>"...)
	}
	return append(b, "</x></query>"...), nil
}
