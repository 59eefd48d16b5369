package auth

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xdg-go/scram"
	"mellium.im/sasl"
)

// certificate makes a self-signed one with the signature algorithm.
func certificate(t testing.TB, sig x509.SignatureAlgorithm) *tls.Certificate {
	t.Helper()
	curve := elliptic.P256()
	if sig == x509.ECDSAWithSHA384 {
		curve = elliptic.P384()
	}
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:       big.NewInt(1),
		Subject:            pkix.Name{CommonName: domain},
		DNSNames:           []string{domain},
		NotBefore:          time.Now().Add(-time.Hour),
		NotAfter:           time.Now().Add(time.Hour),
		SignatureAlgorithm: sig,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// handshake makes a TLS connection over a pipe and returns the server's view of
// it and the client's.
func handshake(t testing.TB, version uint16, cert *tls.Certificate) (Channel, *tls.ConnectionState) {
	t.Helper()
	a, b := net.Pipe()
	t.Cleanup(func() { a.Close(); b.Close() })
	server := tls.Server(a, &tls.Config{Certificates: []tls.Certificate{*cert}, MinVersion: version, MaxVersion: version})
	client := tls.Client(b, &tls.Config{InsecureSkipVerify: true, ServerName: domain, MaxVersion: version})
	result := make(chan error, 1)
	go func() {
		err := server.Handshake()
		if err == nil {
			_, err = server.Write([]byte{1}) // TLS 1.3: lets the client read the tickets
		}
		result <- err
	}()
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	ss, cs := server.ConnectionState(), client.ConnectionState()
	return Channel{Domain: domain, TLS: &ss, Certificate: cert}, &cs
}

// client is one side of an exchange: it is given the server's message (nil at
// first) and returns its own.
type client func(challenge []byte) ([]byte, error)

func melliumClient(m sasl.Mechanism, user, pass, authzid string, cs *tls.ConnectionState, offered []string) client {
	opts := []sasl.Option{
		sasl.Credentials(func() (u, p, z []byte) { return []byte(user), []byte(pass), []byte(authzid) }),
		sasl.RemoteMechanisms(offered...),
	}
	if cs != nil {
		opts = append(opts, sasl.TLSState(*cs))
	}
	n := sasl.NewClient(m, opts...)
	return func(challenge []byte) ([]byte, error) {
		_, out, err := n.Step(challenge)
		return out, err
	}
}

func xdgClient(t testing.TB, gen scram.HashGeneratorFcn, user, pass string, bind *scram.ChannelBinding) client {
	t.Helper()
	c, err := gen.NewClient(user, pass, "")
	if err != nil {
		t.Fatal(err)
	}
	conv := c.NewConversation()
	if bind != nil {
		conv = c.NewConversationWithChannelBinding(*bind)
	}
	return func(challenge []byte) ([]byte, error) {
		out, err := conv.Step(string(challenge))
		return []byte(out), err
	}
}

// login runs an exchange to its end and lets the client check the success.
func login(t testing.TB, s *Service, ch Channel, mechanism string, c client) (*Exchange, *Failure) {
	t.Helper()
	x, err := s.Begin(ch, mechanism)
	if err != nil {
		return nil, err.(*Failure)
	}
	out, err := c(nil)
	for done := false; err == nil; {
		var in []byte
		in, done, err = x.Step(t.Context(), out)
		if err != nil {
			return x, err.(*Failure)
		}
		if done && in == nil {
			return x, nil
		}
		out, err = c(in)
		if done && err == nil {
			return x, nil
		}
	}
	t.Fatalf("the client refused: %v", err)
	return nil, nil
}

func wantLogin(t *testing.T, x *Exchange, f *Failure, mechanism, binding string) {
	t.Helper()
	if f != nil {
		t.Fatalf("login failed: %v (%s)", f, f.Text)
	}
	if x.Identity() != juliet() || x.Mechanism() != mechanism || x.Binding() != binding {
		t.Errorf("logged in as %q by %q with %q", x.Identity(), x.Mechanism(), x.Binding())
	}
}

func TestMelliumClient(t *testing.T) {
	s, _ := newService(t, cheap())
	cert := certificate(t, x509.ECDSAWithSHA256)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		ch, cs := handshake(t, version, cert)
		names, _ := s.Mechanisms(ch)
		for _, m := range []sasl.Mechanism{sasl.ScramSha256Plus, sasl.ScramSha1Plus, sasl.ScramSha256, sasl.ScramSha1, sasl.Plain} {
			t.Run(tls.VersionName(version)+" "+m.Name, func(t *testing.T) {
				if !slices.Contains(names, m.Name) {
					t.Fatalf("%s is not offered, only %v", m.Name, names)
				}
				x, f := login(t, s, ch, m.Name, melliumClient(m, "juliet", password, "", cs, names))
				plus := strings.HasSuffix(m.Name, "-PLUS")
				binding := ""
				switch {
				case plus && version == tls.VersionTLS12:
					binding = bindUnique // this client has nothing else there
				case plus:
					binding = bindExporter
				}
				wantLogin(t, x, f, m.Name, binding)
				// Nobody gets in by the same way with another password.
				_, f = login(t, s, ch, m.Name, melliumClient(m, "juliet", password+"x", "", cs, names))
				if f == nil || f.Condition != "not-authorized" || !f.Credentials {
					t.Errorf("a wrong password ended with %+v", f)
				}
			})
		}
	}
}

func TestXdgClient(t *testing.T) {
	s, _ := newService(t, cheap())
	generators := map[string]scram.HashGeneratorFcn{"SCRAM-SHA-256": scram.SHA256, "SCRAM-SHA-1": scram.SHA1}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, sig := range []x509.SignatureAlgorithm{x509.ECDSAWithSHA256, x509.ECDSAWithSHA384} {
			cert := certificate(t, sig)
			ch, cs := handshake(t, version, cert)
			exporter, err := scram.NewTLSExporterBinding(cs)
			if err != nil {
				t.Fatal(err)
			}
			endPoint, err := scram.NewTLSServerEndpointBinding(cs)
			if err != nil {
				t.Fatal(err)
			}
			binds := []scram.ChannelBinding{exporter, endPoint}
			if version == tls.VersionTLS12 {
				binds = append(binds, scram.NewTLSUniqueBinding(cs.TLSUnique))
			}
			for name, gen := range generators {
				t.Run(tls.VersionName(version)+" "+sig.String()+" "+name, func(t *testing.T) {
					x, f := login(t, s, ch, name, xdgClient(t, gen, "juliet", password, nil))
					wantLogin(t, x, f, name, "")
					for _, bind := range binds {
						x, f = login(t, s, ch, name+"-PLUS", xdgClient(t, gen, "juliet", password, &bind))
						wantLogin(t, x, f, name+"-PLUS", string(bind.Type))
						other := bind
						other.Data = bytes.Repeat([]byte{7}, len(bind.Data))
						_, f = login(t, s, ch, name+"-PLUS", xdgClient(t, gen, "juliet", password, &other))
						if f == nil || f.Condition != "not-authorized" || f.Credentials {
							t.Errorf("binding of another connection ended with %+v", f)
						}
					}
				})
			}
		}
	}
}

// In TLS 1.2 the exporter's value with a zero-length context is what RFC 9266
// means; xdg-go above uses the other.
func TestExporterContext(t *testing.T) {
	s, _ := newService(t, cheap())
	ch, cs := handshake(t, tls.VersionTLS12, certificate(t, x509.ECDSAWithSHA256))
	data, err := cs.ExportKeyingMaterial(exporterLabel, []byte{}, exporterLength)
	if err != nil {
		t.Fatal(err)
	}
	bind := &scram.ChannelBinding{Type: scram.ChannelBindingTLSExporter, Data: data}
	x, f := login(t, s, ch, "SCRAM-SHA-256-PLUS", xdgClient(t, scram.SHA256, "juliet", password, bind))
	wantLogin(t, x, f, "SCRAM-SHA-256-PLUS", bindExporter)
}
