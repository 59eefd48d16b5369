package config

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// place is where something stands in a file.
type place struct{ line, column int }

// entry is where a key and its value stand.
type entry struct{ key, value place }

// locate finds the keys of a TOML file that the decoder has accepted: the
// decoder doesn't tell their places. The names of an entry's path are joined
// with pathMark; the element of an array has a name like "#0".
func locate(text string) map[string]entry {
	l := &locator{text: text, found: map[string]entry{}, arrays: map[string]int{}}
	l.file()
	return l.found
}

const pathMark = "\x1f"

func join(path []string) string { return strings.Join(path, pathMark) }

// locator walks through a file. It trusts that the file is TOML, and ends at the
// end of the text whatever it finds.
type locator struct {
	text   string
	at     int
	found  map[string]entry
	arrays map[string]int // elements of arrays of tables so far
}

func (l *locator) file() {
	var table []string
	for l.blank(); l.at < len(l.text); l.blank() {
		before := l.at
		if l.text[l.at] == '[' {
			table = l.header()
		} else {
			l.pair(table)
		}
		if l.at == before { // not TOML after all
			l.at++
		}
	}
}

// header reads [a.b] or [[a.b]] and returns the path of the table.
func (l *locator) header() []string {
	start := l.at
	l.at++
	array := l.next('[')
	if array {
		l.at++
	}
	var path []string
	for _, name := range l.names() {
		if _, ok := l.found[join(path)]; !ok && len(path) > 0 {
			l.add(path, start, start) // only named on the way to another
		}
		path = append(path, name)
		if n := l.arrays[join(path)]; n > 0 && !array {
			path = append(path, "#"+strconv.Itoa(n-1))
		}
	}
	if array {
		n := l.arrays[join(path)]
		l.arrays[join(path)] = n + 1
		if n == 0 {
			l.add(path, start, start)
		}
		path = append(path, "#"+strconv.Itoa(n))
	}
	l.add(path, start, start)
	for l.next(']') {
		l.at++
	}
	return path
}

// pair reads a key and its value.
func (l *locator) pair(table []string) {
	start := l.at
	path := append(append([]string(nil), table...), l.names()...)
	if !l.next('=') {
		return
	}
	l.at++
	l.spaces()
	for n := len(table) + 1; n <= len(path); n++ {
		if _, ok := l.found[join(path[:n])]; !ok || n == len(path) {
			l.add(path[:n], start, l.at)
		}
	}
	l.value(path)
}

func (l *locator) value(path []string) {
	if l.at >= len(l.text) {
		return
	}
	switch l.text[l.at] {
	case '"', '\'':
		l.quoted()
	case '[':
		l.at++
		for i := 0; l.more(']'); i++ {
			start := l.at
			element := append(append([]string(nil), path...), "#"+strconv.Itoa(i))
			l.add(element, l.at, l.at)
			l.value(element)
			l.comma(start)
		}
	case '{':
		l.at++
		for l.more('}') {
			start := l.at
			l.pair(path)
			l.comma(start)
		}
	default:
		l.at += strings.IndexAny(l.text[l.at:]+"\n", ",]}#\r\n")
	}
}

// more goes to the next element of an array or table; at its end it steps over
// the closing bracket and returns false.
func (l *locator) more(end byte) bool {
	l.blank()
	if l.next(end) {
		l.at++
		return false
	}
	return l.at < len(l.text)
}

// comma steps over a comma behind an element that began at start.
func (l *locator) comma(start int) {
	l.blank()
	if l.next(',') || l.at == start { // or not TOML after all
		l.at++
	}
}

// names reads a key: names with dots between them.
func (l *locator) names() []string {
	var all []string
	for {
		l.spaces()
		start := l.at
		if l.next('"') || l.next('\'') {
			l.quoted()
			raw := l.text[start:l.at]
			name, err := strconv.Unquote(raw)
			if err != nil {
				name = strings.Trim(raw, `'"`)
			}
			all = append(all, name)
		} else {
			l.at += strings.IndexAny(l.text[l.at:]+"\n", ".=] \t\r\n")
			all = append(all, l.text[start:l.at])
		}
		l.spaces()
		if !l.next('.') {
			return all
		}
		l.at++
	}
}

// quoted steps over a string of any of the four kinds.
func (l *locator) quoted() {
	quote := l.text[l.at : l.at+1]
	end := quote
	if strings.HasPrefix(l.text[l.at:], strings.Repeat(quote, 3)) {
		end = strings.Repeat(quote, 3)
	}
	l.at += len(end)
	for l.at < len(l.text) && !strings.HasPrefix(l.text[l.at:], end) {
		if quote == `"` && l.text[l.at] == '\\' {
			l.at++
		}
		l.at++
	}
	l.at = min(l.at+len(end), len(l.text))
	for len(end) == 3 && l.next(quote[0]) { // """a"""" ends in a quote
		l.at++
	}
}

// next reports whether the next byte is c.
func (l *locator) next(c byte) bool { return l.at < len(l.text) && l.text[l.at] == c }

func (l *locator) spaces() {
	for l.next(' ') || l.next('\t') {
		l.at++
	}
}

// blank steps over white space and comments.
func (l *locator) blank() {
	for l.at < len(l.text) {
		switch l.text[l.at] {
		case ' ', '\t', '\r', '\n':
			l.at++
		case '#':
			l.at += strings.IndexByte(l.text[l.at:]+"\n", '\n')
		default:
			return
		}
	}
}

func (l *locator) add(path []string, key, value int) {
	l.found[join(path)] = entry{l.place(key), l.place(value)}
}

// place turns an offset into line and column, both counted from 1; columns are
// characters.
func (l *locator) place(at int) place {
	at = max(0, min(at, len(l.text)))
	line := strings.Count(l.text[:at], "\n")
	start := strings.LastIndexByte(l.text[:at], '\n') + 1
	return place{line + 1, utf8.RuneCountInString(l.text[start:at]) + 1}
}
