package main

import (
	"fmt"

	"weir/sessionmgr"
)

// longestValue is how many bytes of an attribute's value are shown; --json has all.
const longestValue = 200

// attributeRows tells what modules keep on a session and with its account.
func attributeRows(d sessionmgr.Description) (rows [][]string) {
	for _, a := range d.Attributes {
		value := string(a.Value)
		switch {
		case a.Problem != "":
			value = "not in force: " + a.Problem
		case value == "":
			value = "its module's alone"
		case len(value) > longestValue:
			value = value[:longestValue] + "…"
		}
		rows = append(rows, []string{"attribute " + a.Name, fmt.Sprintf("%s (%s)", value, a.Lifetime)})
	}
	return rows
}
