package auth

import (
	"fmt"
	"io"
	"log/slog"
)

// secret is key material. However it is printed, it prints as ***.
type secret []byte

// Format prints three stars for every verb.
func (secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "***") }

// LogValue keeps the bytes out of structured logs.
func (secret) LogValue() slog.Value { return slog.StringValue("***") }

// MarshalText keeps the bytes out of JSON.
func (secret) MarshalText() ([]byte, error) { return []byte("***"), nil }
