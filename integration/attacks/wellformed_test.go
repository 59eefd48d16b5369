package attacks

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// checkOutput says what is wrong with everything a server sent on a connection:
// one document after the other, the last one perhaps cut off.
func checkOutput(sent string) error {
	for i, doc := range documents(sent) {
		if err := checkDocument(doc); err != nil {
			return fmt.Errorf("document %d: %w", i+1, err)
		}
	}
	return nil
}

// documents splits what a server sent at the XML declarations, which can't
// stand inside a document.
func documents(sent string) []string {
	const declaration = "<?xml "
	var all []string
	for part := range strings.SplitSeq(sent, declaration) {
		switch {
		case len(all) > 0:
			all = append(all, declaration+part)
		case part == "":
			all = append(all, "") // nothing in front of the first one
		default:
			all = append(all, part)
		}
	}
	return all[1:]
}

// checkDocument reads one document strictly. Its end may be missing.
func checkDocument(doc string) error {
	d := xml.NewDecoder(strings.NewReader(doc))
	scopes := []map[string]bool{{"xml": true, "": true, "xmlns": true}}
	for {
		tok, err := d.RawToken()
		var syntax *xml.SyntaxError
		if errors.Is(err, io.EOF) || errors.As(err, &syntax) && syntax.Msg == "unexpected EOF" {
			return nil
		}
		if err != nil {
			return err
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			scope, err := checkStart(tok, scopes)
			if err != nil {
				return err
			}
			scopes = append(scopes, scope)
		case xml.EndElement:
			if len(scopes) == 1 {
				return fmt.Errorf("</%s> closes nothing", tok.Name.Local)
			}
			scopes = scopes[:len(scopes)-1]
		case xml.CharData:
			if len(scopes) == 1 && strings.TrimSpace(string(tok)) != "" {
				return fmt.Errorf("text %q outside of the root", tok)
			}
		case xml.Comment, xml.Directive:
			return fmt.Errorf("restricted XML: %#v", tok)
		case xml.ProcInst:
			if tok.Target != "xml" || len(scopes) > 1 {
				return fmt.Errorf("processing instruction %s", tok.Target)
			}
		}
	}
}

// checkStart checks prefixes and attributes and returns the prefixes declared here.
func checkStart(e xml.StartElement, scopes []map[string]bool) (map[string]bool, error) {
	scope, seen := map[string]bool{}, map[xml.Name]bool{}
	for _, a := range e.Attr {
		if seen[a.Name] {
			return nil, fmt.Errorf("attribute %s twice in <%s>", a.Name.Local, e.Name.Local)
		}
		seen[a.Name] = true
		if a.Name.Space == "xmlns" {
			scope[a.Name.Local] = true
		}
	}
	declared := func(prefix string) bool {
		for _, s := range append(scopes, scope) {
			if s[prefix] {
				return true
			}
		}
		return false
	}
	if !declared(e.Name.Space) {
		return nil, fmt.Errorf("prefix %s of <%s> isn't declared", e.Name.Space, e.Name.Local)
	}
	for _, a := range e.Attr {
		if !declared(a.Name.Space) {
			return nil, fmt.Errorf("prefix %s of the attribute %s isn't declared", a.Name.Space, a.Name.Local)
		}
	}
	return scope, nil
}

// The check itself is checked: it must not wave anything through.
func TestCheckOutput(t *testing.T) {
	const head = "<?xml version='1.0'?><s:s xmlns:s='u:s' xmlns='u:c'>"
	for _, c := range []struct {
		sent string
		ok   bool
	}{
		{"", true},
		{head, true},
		{head + "<a b='1'>&amp;</a></s:s>", true},
		{head + "<a xmlns:x='u:x' x:b='1'><x:c/></a>" + head + "<a/>", true},
		{head + "<a b='", true}, // the connection was cut here
		{head + "<x:a/>", false},
		{head + "<a x:b='1'/>", false},
		{head + "<a xmlns:x='u'/><x:a/>", false},
		{head + "<a b='1' b='2'/>", false},
		{head + "<a>&bomb;</a>", false},
		{head + "<!-- c -->", false},
		{head + "<?php ?>", false},
		{head + "<a>\x01</a>", false},
		{head + "<a>\xff</a>", false},
		{head + "<a b='<'/>", false},
		{head + "</s:s>text", false},
		{head + "</s:s></s:s>", false},
	} {
		if err := checkOutput(c.sent); (err == nil) != c.ok {
			t.Errorf("%q: %v", c.sent, err)
		}
	}
}
