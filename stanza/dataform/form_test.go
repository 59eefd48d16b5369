package dataform_test

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
	"testing"

	"weir/stanza/dataform"
)

func asked() *dataform.Form {
	return &dataform.Form{Type: dataform.TypeForm, Title: "T", Instructions: []string{"I"}, Fields: []dataform.Field{
		dataform.Typed("urn:test"),
		{Type: dataform.Fixed, Values: []string{"read this"}},
		{Var: "who", Type: dataform.JIDSingle, Required: dataform.Must()},
		{Var: "all", Type: dataform.JIDMulti},
		{Var: "yes", Type: dataform.Boolean, Values: []string{"1"}},
		{Var: "one", Type: dataform.ListSingle, Options: []dataform.Option{{Label: "A", Value: "a"}, {Value: "b"}}},
		{Var: "secret", Type: dataform.TextPrivate},
		{Var: "text", Type: dataform.TextMulti},
	}}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct{ answer, field, want, err string }{
		{"<field var='who'><value>Romeo@Verona.lit</value></field>", "who", "[romeo@verona.lit]", ""},
		{"<field var='who'><value>a@b</value></field>", "yes", "[true]", ""},
		{"<field var='who'><value>a@b</value></field><field var='yes'><value>0</value></field>", "yes", "[false]", ""},
		{"<field var='who'><value>a@b</value></field><field var='one'><value>b</value></field>", "one", "[b]", ""},
		{"<field var='who'><value>a@b</value></field><field var='text'><value>x</value><value/><value>y</value></field>", "text", "[x  y]", ""},
		{"<field var='who'><value>a@b</value></field><field var='all'><value>c@d/e</value><value> </value></field>", "all", "[c@d/e]", ""},
		{"<field var='who'><value>a@b</value></field><field var='other'><value>x</value></field>", "other", "[]", ""},
		{"<field var='who'><value>a@b</value></field><field var='secret'><value> </value></field>", "secret", "[ ]", ""},
		{"<field var='who' type='hidden'><value>a@b</value></field>", "FORM_TYPE", "[urn:test]", ""},
		{"", "", "", `"who" has to be filled in`},
		{"<field var='who'><value> </value></field>", "", "", `"who" has to be filled in`},
		{"<field var='who'><value>a@b</value><value>c@d</value></field>", "", "", `"who" takes one value only`},
		{"<field var='who'><value>@</value></field>", "", "", `"who" has something else than an address`},
		{"<field var='who'><value>a@b</value></field><field var='who'/>", "", "", `"who" is there twice`},
		{"<field var='who'><value>a@b</value></field><field var='yes'><value>maybe</value></field>", "", "", "neither true nor false"},
		{"<field var='who'><value>a@b</value></field><field var='one'><value>c</value></field>", "", "", "something else than its choices"},
		{"<field var='FORM_TYPE'><value>urn:another</value></field>", "", "", `"FORM_TYPE" is not "urn:test"`},
	} {
		var answer dataform.Form
		if err := xml.Unmarshal([]byte("<x xmlns='jabber:x:data' type='submit'>"+c.answer+"</x>"), &answer); err != nil {
			t.Fatal(err)
		}
		got, err := asked().Check(&answer)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v, want %q", c.answer, err, c.err)
			}
			continue
		}
		if err != nil || fmt.Sprint(got.Values(c.field)) != c.want {
			t.Errorf("%s: %v, %v, want %s", c.answer, got.Values(c.field), err, c.want)
		}
	}
	if _, err := asked().Check(nil); err == nil {
		t.Error("no answer is enough")
	}
}

// What is written is read as the same.
func TestRoundTrip(t *testing.T) {
	f := asked()
	f.Reported = &dataform.Reported{Fields: []dataform.Field{{Var: "c"}}}
	f.Items = []dataform.Item{{Fields: []dataform.Field{{Var: "c", Values: []string{"<&>"}}}}}
	b, err := xml.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	var back dataform.Form
	if err := xml.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	again, err := xml.Marshal(back)
	if err != nil || !slices.Equal(b, again) {
		t.Errorf("%v\n%s\n%s", err, b, again)
	}
	if strings.Count(string(b), "xmlns") != 1 || back.Items[0].Fields[0].Values[0] != "<&>" {
		t.Errorf("%s", b)
	}
	if f.Size() < len("TI")+len("urn:test") || (*dataform.Form)(nil).Size() != 0 || (*dataform.Form)(nil).Value("x") != "" {
		t.Error("sizes or values are wrong")
	}
}

func Example() {
	ask := dataform.Form{Type: dataform.TypeForm, Fields: []dataform.Field{{Var: "name", Required: dataform.Must()}}}
	_, err := ask.Check(&dataform.Form{Type: dataform.TypeSubmit})
	fmt.Println(err)
	// Output: the field "name" has to be filled in
}
