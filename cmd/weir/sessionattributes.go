package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"weir/sessionmgr"
)

// longestValue is how many bytes of an attribute's value are shown; --json has all.
const longestValue = 200

// attributeRows tells what modules keep on a session and with its account.
func attributeRows(d sessionmgr.Description, now time.Time) (rows [][]string) {
	for _, a := range d.Attributes {
		value, how := valueOf(a), a.Lifetime
		if !a.Expires.IsZero() {
			how += ", expires " + until(now, a.Expires)
		}
		rows = append(rows, []string{"attribute " + a.Name, fmt.Sprintf("%s (%s)", value, how)})
	}
	return rows
}

// valueOf is the value of an attribute on one line.
func valueOf(a sessionmgr.Attribute) string {
	switch {
	case a.Problem != "":
		return "not in force: " + a.Problem
	case len(a.Value) == 0:
		return "its module's alone"
	}
	var line bytes.Buffer
	if err := json.Compact(&line, a.Value); err != nil { // the answer was indented on its way
		return "not shown: it is no JSON"
	}
	value := line.String()
	if len(value) <= longestValue {
		return value
	}
	return strings.ToValidUTF8(value[:longestValue], "") + "…"
}
