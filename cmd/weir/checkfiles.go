package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"weir"
	"weir/auth"
	"weir/component"
	"weir/config"
	"weir/modules/events/webhook"
	"weir/netserver"
)

// data looks at the data folder.
func (c *checker) data(dir string) {
	subject := "data folder " + dir
	fi, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.newFolder(subject, dir)
		return
	case err != nil:
		c.add(checkFail, subject, "", "%v", err)
		return
	case !fi.IsDir():
		c.add(checkFail, subject, "name another one with --data", "it is a file")
		return
	}
	if err := ownFolder(dir); err != nil {
		c.add(checkWarn, subject, "", "%v", err)
		return
	}
	if err := writable(dir); err != nil {
		c.add(checkFail, subject, "the user who runs the server has to own it", "nothing can be written there: %v", err)
		return
	}
	if fi.Mode().Perm()&0o077 != 0 {
		c.add(checkWarn, subject, "chmod 700 "+dir, "other users may look into it (mode %04o)", fi.Mode().Perm())
		return
	}
	c.add(checkOK, subject, "", "writable, for its user only")
	c.tokenKey(weir.KeyFile(dir))
}

// writable tries whether a file can be made in a folder.
func writable(dir string) error {
	probe, err := os.CreateTemp(dir, ".weir-check-*")
	if err != nil {
		return err
	}
	probe.Close()
	os.Remove(probe.Name())
	return nil
}

// tokenKey looks at the file with the key of tokens, where there is one.
func (c *checker) tokenKey(name string) {
	subject := "key of tokens"
	switch err := auth.CheckKeyFile(name); {
	case errors.Is(err, fs.ErrNotExist): // the server will make it
	case errors.Is(err, auth.ErrKeyFileOpen):
		c.add(checkWarn, subject, "chmod 600 "+name, "other users may read %s", name)
	case err != nil:
		c.add(checkFail, subject, "put the right file back, or remove it: every device then needs its password once", "%v", err)
	default:
		c.add(checkOK, subject, "", "%s", name)
	}
}

// sessionLog looks whether the log of sessions can be written. It makes no file: the
// server does.
func (c *checker) sessionLog(name string) {
	if name == "" {
		return
	}
	subject, dir := "log of sessions", filepath.Dir(name)
	fi, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.add(checkFail, subject, "make it for the user who runs the server", "the folder %s doesn't exist", dir)
		return
	case err != nil:
		c.add(checkFail, subject, "", "%v", err)
		return
	case !fi.IsDir():
		c.add(checkFail, subject, "", "%s is no folder", dir)
		return
	}
	if err := writable(dir); err != nil {
		c.add(checkFail, subject, "the user who runs the server has to be able to", "nothing can be written there: %v", err)
		return
	}
	c.add(checkOK, subject, "", "%s", name)
}

// secrets looks at the files with the secrets of components and of the webhook.
func (c *checker) secrets(cfg config.Config) {
	if name := cfg.Component.SecretFile; name != "" {
		c.secret("secrets of components", name, component.CheckSecrets(name, cfg.Domains))
	}
	switch name := cfg.Webhook.SecretFile; {
	case len(cfg.Webhook.Targets) == 0:
	case name == "":
		c.add(checkFail, "secret of the webhook", "name a file in secret_file of [webhook]: openssl rand -hex 32 makes what belongs into it", "there is none, and posts are signed with it")
	default:
		c.secret("secret of the webhook", name, webhook.CheckSecret(name))
	}
}

// secret tells of a file with secrets what reading it gave: each mistake by itself.
func (c *checker) secret(subject, name string, err error) {
	if err != nil {
		where, mistakes, several := strings.Cut(err.Error(), "\n")
		if !several {
			c.add(checkFail, subject, "", "%v", err)
			return
		}
		for line := range strings.Lines(mistakes) {
			c.add(checkFail, subject, "", "%s %s", where, strings.TrimSpace(line))
		}
		return
	}
	if fi, err := os.Stat(name); err == nil && fi.Mode().Perm()&0o077 != 0 {
		c.add(checkWarn, subject, "chmod 600 "+name, "other users may read %s (mode %04o)", name, fi.Mode().Perm())
		return
	}
	c.add(checkOK, subject, "", "%s", name)
}

// newFolder looks whether a folder can be made.
func (c *checker) newFolder(subject, dir string) {
	parent := filepath.Dir(filepath.Clean(dir))
	for {
		if _, err := os.Stat(parent); err == nil || parent == filepath.Dir(parent) {
			break
		}
		parent = filepath.Dir(parent)
	}
	probe, err := os.MkdirTemp(parent, ".weir-check-*")
	if err != nil {
		c.add(checkFail, subject, "make it for the user who runs the server, with mode 0700", "it doesn't exist and can't be made: %v", err)
		return
	}
	os.Remove(probe)
	c.add(checkOK, subject, "", "doesn't exist yet, the server will make it")
}

// soon is when the end of a certificate is worth a warning.
const soon = 14 * 24 * time.Hour

// certificates looks at the configured certificates, and whether every domain
// has one.
func (c *checker) certificates(cfg config.Config) {
	var names []string // covered
	for _, f := range cfg.TLS.Certificates {
		names = append(names, c.certificate(f)...)
	}
	for _, d := range cfg.Domains {
		switch {
		case covered(names, d):
			c.add(checkOK, "certificate of "+d, "", "configured")
		case config.IsLoopback(d):
			c.add(checkOK, "certificate of "+d, "", "self-signed, made by the server")
		default:
			c.add(checkWarn, "certificate of "+d, "name a certificate for it under [[tls.certificates]]",
				"none is configured: clients will warn about the self-signed one that the server makes")
		}
	}
}

// certificate looks at one configured certificate and returns the names that it
// serves.
func (c *checker) certificate(f netserver.CertFiles) []string {
	key := f.Key
	if key == "" {
		key = f.Cert
	}
	subject := "certificate " + f.Cert
	for _, name := range []string{f.Cert, key} {
		if _, err := os.ReadFile(name); err != nil {
			c.add(checkFail, subject, "the server's user has to be able to read it", "%v", err)
			return nil
		}
	}
	pair, err := tls.LoadX509KeyPair(f.Cert, key)
	if err != nil {
		c.add(checkFail, subject, "cert has the certificate and its chain, key the key that belongs to it, both PEM", "%v", err)
		return nil
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		c.add(checkFail, subject, "", "%v", err)
		return nil
	}
	c.keyMode(key)
	end := leaf.NotAfter.Format(time.DateOnly)
	switch {
	case c.now.After(leaf.NotAfter):
		c.add(checkFail, subject, "renew it", "it ended on %s", end)
		return nil
	case c.now.Before(leaf.NotBefore):
		c.add(checkFail, subject, "is the clock right?", "it begins only on %s", leaf.NotBefore.Format(time.DateOnly))
		return nil
	case c.now.Add(soon).After(leaf.NotAfter):
		c.add(checkWarn, subject, "renew it", "it ends on %s, in %s", end, span(leaf.NotAfter.Sub(c.now)))
	default:
		c.add(checkOK, subject, "", "serves %s until %s", strings.Join(leaf.DNSNames, ", "), end)
	}
	for _, d := range f.Domains {
		if leaf.VerifyHostname(d) != nil {
			c.add(checkFail, subject, "take "+d+" out of its domains, or get a certificate for it", "it is not made for %s", d)
		}
	}
	return leaf.DNSNames
}

// keyMode warns about a key that everybody may read.
func (c *checker) keyMode(key string) {
	if fi, err := os.Stat(key); err == nil && fi.Mode().Perm()&0o004 != 0 {
		c.add(checkWarn, "key "+key, "chmod 640 "+key+" (or 600)", "every user may read it (mode %04o)", fi.Mode().Perm())
	}
}

// covered reports whether a certificate with these names serves a domain.
func covered(names []string, domain string) bool {
	return (&x509.Certificate{DNSNames: names, Raw: []byte{0}}).VerifyHostname(domain) == nil
}
