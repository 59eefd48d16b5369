package acks_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"math/big"
	"net"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"weir/auth"
	"weir/c2s"
	"weir/jid"
	"weir/modules/acks"
	"weir/netserver"
	"weir/sessionmgr"
	"weir/stanza"
	"weir/storage"
	"weir/storage/pebble"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/xdg-go/scram"
)

const (
	password = "correct horse"
	agent    = "<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'><software>Test</software></user-agent>"
	bindNS   = "urn:xmpp:bind:0"
	header   = "<?xml version='1.0'?><stream:stream from='juliet@verona.lit' to='verona.lit' version='1.0' xmlns='jabber:client' " +
		"xmlns:stream='http://etherx.jabber.org/streams'>"
)

// house is a server with stream management, with everything real but the disk.
type house struct {
	t   *testing.T
	sm  *sessionmgr.Manager
	c2s *c2s.Server
	net *netserver.Server
	tls *tls.Config
	reg *prometheus.Registry
	// full has the session manager find no room on the disk.
	full atomic.Bool
}

// disk is the store of a house as its session manager sees it.
type disk struct {
	storage.Store
	full *atomic.Bool
}

func (d disk) Commit(b *storage.Batch, done func(error)) {
	if d.full.Load() {
		go done(storage.ErrFull)
		return
	}
	d.Store.Commit(b, done)
}

func newHouse(t *testing.T) *house {
	h := &house{t: t, net: netserver.New(netserver.Options{}), reg: prometheus.NewRegistry()}
	st, err := pebble.Open(pebble.Options{Dir: "data", FS: vfs.NewMem(), Metrics: h.reg})
	must(t, err)
	o := auth.DefaultOptions()
	o.Iterations, o.SHA1 = 4096, false
	as, err := auth.New(t.Context(), o, st)
	must(t, err)
	must(t, as.Create(t.Context(), jid.MustParse("juliet@verona.lit"), password))
	h.sm, err = sessionmgr.New(sessionmgr.Options{Domains: []string{"verona.lit"}}, disk{st, &h.full}, as)
	must(t, err)
	h.c2s, err = c2s.New(c2s.DefaultOptions(), h.sm, as)
	must(t, err)
	must(t, acks.New(h.c2s, h.sm, acks.DefaultOptions()))
	h.tls = &tls.Config{Certificates: []tls.Certificate{certificate(t)}, SessionTicketsDisabled: true}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := h.sm.Stop(ctx); err != nil {
			t.Error("stop:", err)
		}
		if err := h.net.Shutdown(ctx); err != nil {
			t.Error("shutdown:", err)
		}
		st.Close()
	})
	return h
}

// commits is how many groups the store has made durable, once nothing waits for that.
func (h *house) commits() (groups int64) {
	h.t.Helper()
	for pending := true; pending; {
		all, err := h.reg.Gather()
		must(h.t, err)
		for _, m := range all {
			switch m.GetName() {
			case "weir_storage_pending_bytes":
				pending = m.Metric[0].Gauge.GetValue() > 0
			case "weir_storage_groups_total":
				groups = int64(m.Metric[0].Counter.GetValue())
			}
		}
	}
	return groups
}

func certificate(t *testing.T) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Unix(1<<33, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wire counts what the server writes.
type wire struct {
	net.Conn
	writes, bytes atomic.Int64
}

func (w *wire) Write(b []byte) (int, error) {
	w.writes.Add(1)
	w.bytes.Add(int64(len(b)))
	return w.Conn.Write(b)
}

// client is one connection, with direct TLS.
type client struct {
	t       *testing.T
	conn    *tls.Conn
	wire    *wire
	flights int // how often it sent something and had to wait
	sent    int // bytes
	got     string
}

func (h *house) dial() *client {
	here, there := net.Pipe()
	w := &wire{Conn: there}
	h.net.Serve(w, netserver.Listen{New: h.c2s.Accept(c2s.Listener{Name: "test"}), TLS: h.tls})
	c := &client{t: h.t, conn: tls.Client(here, &tls.Config{InsecureSkipVerify: true}), wire: w}
	must(h.t, c.conn.HandshakeContext(h.t.Context()))
	h.t.Cleanup(func() { here.Close() })
	w.writes.Store(0)
	w.bytes.Store(0)
	return c
}

// ask sends a flight and waits for what ends its answer.
func (c *client) ask(xml, until string) string {
	c.t.Helper()
	c.flights++
	c.sent += len(xml)
	_, err := c.conn.Write([]byte(xml))
	must(c.t, err)
	return c.await(until)
}

func (c *client) await(until string) string {
	c.t.Helper()
	must(c.t, c.conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	buf := make([]byte, 64<<10)
	for {
		if i := strings.Index(c.got, until); i >= 0 {
			all := c.got[:i+len(until)]
			c.got = c.got[i+len(until):]
			return all
		}
		n, err := c.conn.Read(buf)
		c.got += string(buf[:n])
		if err != nil {
			c.t.Fatalf("%v before %s; got %s", err, until, c.got)
		}
	}
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func authenticate(mechanism, initial, inside string) string {
	return "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='" + mechanism + "'><initial-response>" + b64(initial) +
		"</initial-response>" + agent + inside + "</authenticate>"
}

// plain logs in by PLAIN, header and all in one flight.
func (c *client) plain(inside, until string) string {
	c.t.Helper()
	return c.ask(header+authenticate("PLAIN", "\x00juliet\x00"+password, inside), until)
}

// token logs in by a token, header and all in one flight.
func (c *client) token(token, inside, until string) string {
	c.t.Helper()
	m := hmac.New(sha256.New, []byte(token))
	m.Write([]byte("Initiator"))
	cs := c.conn.ConnectionState()
	cb, err := cs.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
	must(c.t, err)
	m.Write(cb)
	return c.ask(header+authenticate("HT-SHA-256-EXPR", "juliet\x00"+string(m.Sum(nil)), inside), until)
}

// scram logs in by SCRAM.
func (c *client) scram(inside, until string) string {
	c.t.Helper()
	conv := conversation(c.t)
	first, err := conv.Step("")
	must(c.t, err)
	challenge := c.ask(header+authenticate("SCRAM-SHA-256", first, inside), "</challenge>")
	final, err := conv.Step(data(c.t, challenge))
	must(c.t, err)
	return c.ask("<response xmlns='urn:xmpp:sasl:2'>"+b64(final)+"</response>", until)
}

func conversation(t *testing.T) *scram.ClientConversation {
	client, err := scram.SHA256.NewClient("juliet", password, "")
	must(t, err)
	return client.NewConversation()
}

func data(t *testing.T, element string) string {
	i := strings.LastIndex(element, "</")
	b, err := base64.StdEncoding.DecodeString(element[strings.LastIndexByte(element[:i], '>')+1 : i])
	must(t, err)
	return string(b)
}

func find(t *testing.T, pattern, in string) string {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(in)
	if m == nil {
		t.Fatalf("no %s in %s", pattern, in)
	}
	return m[1]
}

const (
	bindEnable   = "<bind xmlns='" + bindNS + "'><enable xmlns='urn:xmpp:sm:3' resume='true'/></bind>"
	requestToken = "<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-EXPR'/>"
	useToken     = "<fast xmlns='urn:xmpp:fast:0'/>"
	endFeatures  = "</stream:features>"
)

func resume(id string) string { return "<resume xmlns='urn:xmpp:sm:3' previd='" + id + "' h='0'/>" }

// ready logs in once: it returns the id of a stream with messages that wait, and a
// token that was used before.
func (h *house) ready(messages int) (stream, token string) {
	h.t.Helper()
	c := h.dial()
	all := c.plain(bindEnable+requestToken, "</success>")
	stream, token = find(h.t, ` id='([^']*)' resume`, all), find(h.t, ` token='([^']*)'`, all)
	c.await(endFeatures)
	c.conn.NetConn().Close()
	account := jid.MustParse("juliet@verona.lit")
	for h.sm.ByAccount(account)[0].State() != sessionmgr.Hibernating {
		time.Sleep(time.Millisecond)
	}
	c = h.dial()
	c.token(token, useToken, "</success>")
	c.conn.NetConn().Close()
	to := h.sm.ByAccount(account)[0].JID()
	for range messages {
		st, err := stanza.Parse([]byte("<message xmlns='jabber:client' from='romeo@verona.lit/x' to='" + to.String() +
			"' type='chat' id='waits'><body>" + strings.Repeat("x", 300) + "</body></message>"))
		must(h.t, err)
		must(h.t, h.sm.Route(h.t.Context(), st))
	}
	h.sm.Settle(h.t.Context(), h.sm.ByAccount(account)[0], nil) // they are in the store
	return stream, token
}

// TestWhatLoginsCost counts what each kind of login takes: flights of the client
// behind the TLS handshake, writes of the server, bytes, and groups of changes made
// durable. The features, which a client knows that has been here before, go out by themselves.
func TestWhatLoginsCost(t *testing.T) {
	for _, kind := range []struct {
		name            string
		login           func(c *client, stream, token string)
		flights, writes int64
		sent, received  int64 // bytes inside of TLS and as TLS has them, at most
		commits         int64 // at most: those that meet share one
		messages        int   // come while the device is away
	}{
		{"SASL and bind by themselves", func(c *client, _, _ string) {
			conv := conversation(c.t)
			first, _ := conv.Step("")
			c.ask(header, endFeatures)
			final, err := conv.Step(data(c.t, c.ask("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-256'>"+b64(first)+"</auth>", "</challenge>")))
			must(c.t, err)
			c.ask("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>"+b64(final)+"</response>", "</success>")
			c.ask(header, endFeatures)
			c.ask("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>", "</iq>")
			c.ask("<enable xmlns='urn:xmpp:sm:3' resume='true'/>", "/>")
		}, 6, 6, 1300, 3500, 1, 3},
		{"PLAIN with bind and acks", func(c *client, _, _ string) { c.plain(bindEnable, endFeatures); c.await(endFeatures) }, 1, 2, 800, 2500, 1, 3},
		{"SCRAM with bind and acks", func(c *client, _, _ string) { c.scram(bindEnable, endFeatures) }, 2, 3, 1000, 2800, 1, 3},
		{"SCRAM with resume", func(c *client, stream, _ string) { c.scram(resume(stream), "</success>") }, 2, 3, 1000, 4600, 1, 3},
		{"token with bind and acks", func(c *client, _, token string) {
			c.token(token, useToken+bindEnable, endFeatures)
			c.await(endFeatures)
		}, 1, 2, 800, 2600, 1, 3},
		{"token with resume", func(c *client, stream, token string) { c.token(token, useToken+resume(stream), "</success>") }, 1, 2, 800, 4400, 1, 3},
		{"token with resume, nothing waits", func(c *client, stream, token string) { c.token(token, useToken+resume(stream), "</success>") }, 1, 2, 800, 4400, 1, 0},
		// What becomes of the token is durable before anything else is done with the login
		// (docs/decisions/19-one-commit.md).
		{"token with a count, with resume", func(c *client, stream, token string) {
			c.token(token, "<fast xmlns='urn:xmpp:fast:0' count='1'/>"+resume(stream), "</success>")
		}, 1, 2, 800, 4400, 2, 3},
	} {
		t.Run(kind.name, func(t *testing.T) {
			h := newHouse(t)
			stream, token := h.ready(kind.messages)
			c := h.dial()
			before := h.commits()
			kind.login(c, stream, token)
			if strings.Contains(kind.name, "resume") {
				for range kind.messages {
					c.await("</message>")
				}
			}
			writes, bytes := c.wire.writes.Load(), c.wire.bytes.Load()
			commits := h.commits() - before
			t.Logf("%d flights, %d writes, %d bytes sent, %d received, %d commits", c.flights, writes, c.sent, bytes, commits)
			if commits > kind.commits {
				t.Errorf("%d commits, want up to %d", commits, kind.commits)
			}
			if int64(c.flights) != kind.flights || writes != kind.writes {
				t.Errorf("%d flights and %d writes, want %d and %d", c.flights, writes, kind.flights, kind.writes)
			}
			if int64(c.sent) > kind.sent || bytes > kind.received {
				t.Errorf("%d bytes sent and %d received, want up to %d and %d", c.sent, bytes, kind.sent, kind.received)
			}
		})
	}
}
