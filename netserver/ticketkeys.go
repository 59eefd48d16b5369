package netserver

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// ticketKey is a key of session tickets. crypto/tls makes its own ones of it.
type ticketKey struct {
	made time.Time
	key  [32]byte
}

// Format prints no key, also where the struct is printed field by field.
func (k ticketKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "ticket key") }

// ticketFileHead is the first line of the file with the keys.
const ticketFileHead = "weir TLS session ticket keys 1"

var errTicketFile = errors.New("netserver: not a file of ticket keys, or of a newer version")

// formatTicketKeys writes a line for each key: when it was made, and the key.
func formatTicketKeys(keys []ticketKey) []byte {
	b := []byte(ticketFileHead + "\n")
	for _, k := range keys {
		b = k.made.UTC().AppendFormat(b, time.RFC3339)
		b = base64.StdEncoding.AppendEncode(append(b, ' '), k.key[:])
		b = append(b, '\n')
	}
	return b
}

// parseTicketKeys reads what formatTicketKeys wrote: all of it or nothing.
func parseTicketKeys(b []byte) ([]ticketKey, error) {
	lines := bytes.Split(b, []byte("\n"))
	if len(lines) < 2 || len(lines) > maxTicketKeys || string(lines[0]) != ticketFileHead || len(lines[len(lines)-1]) != 0 {
		return nil, errTicketFile
	}
	var keys []ticketKey
	for _, line := range lines[1 : len(lines)-1] {
		at, text, _ := strings.Cut(string(line), " ")
		made, err := time.Parse(time.RFC3339, at)
		raw, err2 := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil || err2 != nil || len(raw) != len(ticketKey{}.key) {
			return nil, errTicketFile
		}
		keys = append(keys, ticketKey{made, [32]byte(raw)})
	}
	slices.SortStableFunc(keys, func(a, b ticketKey) int { return b.made.Compare(a.made) })
	return keys, nil
}

// writePrivate writes a file that only we can read. It appears whole or not at all.
func writePrivate(path string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already if all went well
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
