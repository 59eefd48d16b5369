package auth

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
)

// keyFile is where the key of tokens is kept: beside the store, so that a copy of
// the store alone makes no token. It has one line: keyMark and the key in base64.
// It is written to a file of another name first, so it is there whole or not at all.
type keyFile string

const (
	keyMark = "weir-token-key-1 "
	// maxKeyFile is in bytes: more is no such file.
	maxKeyFile = 256
)

// newSecret makes key material.
func newSecret() secret {
	key := make(secret, secretLength)
	_, _ = rand.Read(key) // never fails (crypto/rand)
	return key
}

// ErrKeyFileOpen is what CheckKeyFile says of a file that others may read.
var ErrKeyFileOpen = errors.New("auth: other users may read the key of tokens")

// CheckKeyFile says what is wrong with a file that a service has as its KeyFile;
// fs.ErrNotExist if there is none.
func CheckKeyFile(name string) error {
	_, mode, err := keyFile(name).load()
	if err == nil && mode&0o077 != 0 {
		err = fmt.Errorf("%w: %s has the mode %04o", ErrKeyFileOpen, name, mode)
	}
	return err
}

// read returns the key, nil if there is no file. One that others may read is told
// in the log; one that makes no sense is an error, since nothing but an admin can
// know what has become of the right one.
func (f keyFile) read(log *slog.Logger) (secret, error) {
	key, mode, err := f.load()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case mode&0o077 != 0:
		log.Warn("other users may read the key of tokens: chmod 600", "file", string(f), "mode", fmt.Sprintf("%04o", mode))
	}
	return key, nil
}

func (f keyFile) load() (key secret, mode fs.FileMode, err error) {
	file, err := os.Open(string(f))
	if err != nil {
		return nil, 0, fmt.Errorf("auth: the key of tokens, which the server's user has to be able to read: %w", err)
	}
	defer file.Close()
	fi, err := file.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = errors.New("it is no file")
	}
	var b []byte
	if err == nil {
		b, err = io.ReadAll(io.LimitReader(file, maxKeyFile+1))
	}
	if err != nil {
		return nil, 0, fmt.Errorf("auth: the key of tokens in %s: %w", f, err)
	}
	key, ok := parseKey(b)
	if !ok {
		return nil, 0, fmt.Errorf("auth: the key of tokens in %s is damaged: put the right file back, "+
			"or remove it, and every device needs its password once", f)
	}
	return key, fi.Mode().Perm(), nil
}

func parseKey(b []byte) (secret, bool) {
	text, whole := bytes.CutSuffix(b, []byte("\n"))
	text, marked := bytes.CutPrefix(text, []byte(keyMark))
	key, err := base64.StdEncoding.Strict().DecodeString(string(text))
	lines := bytes.ContainsAny(text, "\r\n") // the decoder would skip them
	return key, whole && marked && err == nil && !lines && len(key) == secretLength
}

// write makes the file, for its owner only, so that it survives a power cut. It
// replaces none that is there: the caller has looked, and holds the store.
func (f keyFile) write(key secret) error {
	dir := filepath.Dir(string(f))
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = writeSynced(string(f)+".new", keyMark+base64.StdEncoding.EncodeToString(key)+"\n")
	}
	if err == nil {
		err = os.Rename(string(f)+".new", string(f))
	}
	for _, d := range []string{dir, filepath.Dir(dir)} { // the folder may be new too
		if err == nil {
			err = syncDir(d)
		}
	}
	if err != nil {
		return fmt.Errorf("auth: the key of tokens can't be written: %w", err)
	}
	return nil
}

// writeSynced writes a file for its owner only. What an earlier attempt left there
// goes first: it may have another mode.
func writeSynced(name, text string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Sync(), file.Close())
}

func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
