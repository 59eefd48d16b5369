package main

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"weir"
	"weir/admin"
	"weir/config"
	"weir/jid"

	"github.com/spf13/cobra"
)

// demoUsers are the accounts of a demo.
var demoUsers = []string{"juliet", "romeo"}

// serveDemo runs a throw-away server.
func serveDemo(cmd *cobra.Command, src config.Source, idle time.Duration) error {
	for _, f := range src.Flags {
		if f.Key == "data" {
			return errors.New("--demo makes a folder of its own and removes it: leave out --data, or --demo")
		}
	}
	dir, err := os.MkdirTemp("", "weir-demo-")
	if err != nil {
		return fmt.Errorf("no folder for the demo: %w", err)
	}
	defer os.RemoveAll(dir)
	src.Flags = append(demoFlags(src), config.Flag{Name: "--demo", Key: "data", Value: dir})
	cfg, err := config.Load(src)
	if err != nil {
		return err
	}
	how := manner{load: func() (config.Config, error) { return config.Load(src) }, idle: idle}
	return serve(cmd, cfg, how, func(w io.Writer, s *weir.Server) error { return introduceDemo(cmd, w, s) })
}

// demoFlags are the flags that were given, behind those of a demo: addresses of
// loopback only, the usual ports where they are free, and a log that leaves room
// for what is printed. Flags that were given win.
func demoFlags(src config.Source) []config.Flag {
	flags := []config.Flag{
		{Name: "--demo", Key: "listen.c2s", Value: freeOr("127.0.0.1:5222")},
		{Name: "--demo", Key: "listen.c2s_tls", Value: freeOr("127.0.0.1:5223")},
		{Name: "--demo", Key: "log.level", Value: "warn"},
	}
	return append(flags, src.Flags...)
}

// freeOr returns an address if it can be listened on, else one with any port.
func freeOr(addr string) string {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return "127.0.0.1:0"
	}
	l.Close()
	return addr
}

// introduceDemo makes the accounts and prints what a client needs.
func introduceDemo(cmd *cobra.Command, w io.Writer, s *weir.Server) error {
	domain := s.Config.Domains[0]
	var b strings.Builder
	b.WriteString("\nA demo of weir: nothing of it stays when it ends (Ctrl-C).\n\n")
	for _, name := range demoUsers {
		j, err := jid.New(name, domain, "")
		if err != nil {
			return err
		}
		password := admin.NewPassword()
		if err := s.Auth.Create(cmd.Context(), j, password); err != nil {
			return err
		}
		fmt.Fprintf(&b, "  JID %-20s password %s\n", j, password)
	}
	for _, a := range s.Addresses() {
		host, port, _ := net.SplitHostPort(a.Addr)
		switch a.Name {
		case "c2s":
			fmt.Fprintf(&b, "\n  host %s port %s (STARTTLS)\n", host, port)
		case "c2s-tls":
			fmt.Fprintf(&b, "  host %s port %s (direct TLS)\n", host, port)
		}
	}
	cert, err := demoCertificate(s.Config, domain)
	if err != nil {
		return err
	}
	fmt.Fprintf(&b, "\n  certificate (self-signed) %s\n\n", cert)
	fmt.Fprintf(&b, "Clients ask whether they may trust the certificate: they may, on this machine.\n"+
		"See who is there with: weir session list --data %s\n\n", s.Config.Data)
	_, err = io.WriteString(w, b.String())
	return err
}

// demoCertificate writes the certificate and its issuer's without the key, for clients.
func demoCertificate(cfg config.Config, domain string) (string, error) {
	all, err := os.ReadFile(certificateOf(cfg, domain))
	if err != nil {
		return "", err
	}
	var certs []byte
	for block, rest := pem.Decode(all); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			certs = append(certs, pem.EncodeToMemory(block)...)
		}
	}
	if certs == nil {
		return "", fmt.Errorf("no certificate in %s", certificateOf(cfg, domain))
	}
	path := filepath.Join(cfg.Data, "certificate.pem")
	return path, os.WriteFile(path, certs, 0o600)
}
