package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"weir/integration/testclient"

	"github.com/xdg-go/scram"
)

// fakeVariable makes the test binary behave as the server's; its value is the bug.
const fakeVariable = "TORTURE_FAKE"

func TestMain(m *testing.M) {
	if bug := os.Getenv(fakeVariable); bug != "" && len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-") {
		if err := fakeCommand(bug, os.Args[1:]); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// fakeCommand is the fake's command line: config, user add, serve.
func fakeCommand(bug string, args []string) error {
	if args[0] != "serve" {
		return nil
	}
	data := ""
	for i, a := range args {
		if a == "--data" {
			data = args[i+1]
		}
	}
	f, err := openFake(data, bug)
	if err != nil {
		return err
	}
	cert, err := selfSigned()
	if err != nil {
		return err
	}
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	secure, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"xmpp-client"}})
	if err != nil {
		return err
	}
	keys := &fakeKeys{known: map[string]scram.StoredCredentials{}}
	for name, l := range map[string]net.Listener{"c2s-insecure": plain, "c2s-tls": secure} {
		fmt.Println("listening", name, l.Addr())
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				go f.serve(conn, keys)
			}
		}()
	}
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	<-term
	return nil
}

func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	t := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{domain}}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// fakeKeys derives each account's keys once.
type fakeKeys struct {
	mu    sync.Mutex
	known map[string]scram.StoredCredentials
}

func (k *fakeKeys) of(user string) (scram.StoredCredentials, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if c, ok := k.known[user]; ok {
		return c, nil
	}
	c, err := scram.SHA256.NewClientUnprepped(user, strings.Replace(user, "t", "password-", 1), "")
	if err != nil {
		return scram.StoredCredentials{}, err
	}
	k.known[user], err = c.GetStoredCredentialsWithError(scram.KeyFactors{Salt: "salt of " + user, Iters: 4096})
	return k.known[user], err
}

// fakeLink is a stream's output: it is written by a goroutine of its own.
type fakeLink struct {
	conn net.Conn
	mu   sync.Mutex
	out  []byte
	over bool
	wake chan struct{}
}

func (l *fakeLink) write(raw string) {
	l.mu.Lock()
	l.out = append(l.out, raw...)
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// conflict tells that the session is elsewhere, and ends.
func (l *fakeLink) conflict() {
	l.write("<stream:error><conflict xmlns='" + nsErrors + "'/></stream:error></stream:stream>")
	l.mu.Lock()
	l.over = true
	l.mu.Unlock()
}

func (l *fakeLink) run() {
	for range l.wake {
		l.mu.Lock()
		b, over := l.out, l.over
		l.out = nil
		l.mu.Unlock()
		if _, err := l.conn.Write(b); err != nil || over {
			l.conn.Close()
			return
		}
	}
}

// serve is one stream.
func (f *fake) serve(conn net.Conn, keys *fakeKeys) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	header := "<stream:stream from='" + domain + "' id='x' version='1.0' xmlns='jabber:client' xmlns:stream='" + nsStreams + "'><stream:features>"
	d, err := fakeHeader(r)
	if err != nil {
		return
	}
	io.WriteString(conn, header+"<mechanisms xmlns='"+nsSASL+"'><mechanism>SCRAM-SHA-256</mechanism></mechanisms></stream:features>")
	user, err := fakeLogin(conn, d, keys)
	if err != nil {
		return
	}
	if d, err = fakeHeader(r); err != nil {
		return
	}
	io.WriteString(conn, header+"<bind xmlns='"+nsBind+"'/><sm xmlns='"+nsSM+"'/></stream:features>")
	link := &fakeLink{conn: conn, wake: make(chan struct{}, 1)}
	go link.run()
	st := &fakeStream{fake: f, link: link, user: user}
	for {
		tok, err := d.Token()
		start, ok := tok.(xml.StartElement)
		_, end := tok.(xml.EndElement)
		if ok {
			var e *testclient.Element
			if e, err = testclient.ReadElement(d, start); err == nil && !st.take(e) {
				return
			}
		}
		if err != nil || end {
			st.over(end)
			return
		}
	}
}

func fakeHeader(r *bufio.Reader) (*xml.Decoder, error) {
	d := xml.NewDecoder(r)
	for {
		tok, err := d.Token()
		if err != nil {
			return nil, err
		}
		if _, ok := tok.(xml.StartElement); ok {
			return d, nil
		}
	}
}

func fakeLogin(conn net.Conn, d *xml.Decoder, keys *fakeKeys) (string, error) {
	server, err := scram.SHA256.NewServer(keys.of)
	if err != nil {
		return "", err
	}
	conv := server.NewConversation()
	for {
		tok, err := d.Token()
		if err != nil {
			return "", err
		}
		start, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		e, err := testclient.ReadElement(d, start)
		if err != nil {
			return "", err
		}
		msg, err := base64.StdEncoding.DecodeString(e.Text)
		if err != nil {
			return "", err
		}
		reply, err := conv.Step(string(msg))
		if err != nil {
			return "", err
		}
		name := "challenge"
		if conv.Done() {
			name = "success"
		}
		fmt.Fprintf(conn, "<%s xmlns='%s'>%s</%s>", name, nsSASL, base64.StdEncoding.EncodeToString([]byte(reply)), name)
		if conv.Done() {
			return conv.Username(), nil
		}
	}
}

// fakeStream is a stream after login.
type fakeStream struct {
	*fake
	link    *fakeLink
	user    string
	session *fakeSession
	visitor bool // bound for questions only
}

// take does what one element asks for. It reports false when the stream is to end.
func (s *fakeStream) take(e *testclient.Element) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case e.Name.Local == "iq" && e.Child(nsBind, "bind") != nil:
		s.bind(e)
	case s.visitor:
		s.answer(e)
	case e.Name.Space == nsSM && e.Name.Local == "resume":
		s.resume(e)
	case s.session == nil || s.session.link != s.link:
		return false // superseded
	case e.Name.Space == nsSM && e.Name.Local == "enable":
		s.do(op{Do: "enable", ID: s.session.ID})
		s.link.write("<enabled xmlns='" + nsSM + "' resume='true' id='" + s.session.ID + "'/>")
	case e.Name.Space == nsSM && e.Name.Local == "r":
		s.ack()
	case e.Name.Space == nsSM && e.Name.Local == "a":
		h, _ := number(e, "h")
		s.do(op{Do: "ack", ID: s.session.ID, H: h})
	default:
		s.do(op{Do: "in", ID: s.session.ID, Raw: e.String()})
	}
	return true
}

func (s *fakeStream) ack() {
	h := s.session.in
	if s.bug == "falls" && h > 20 {
		h -= uint32(time.Now().UnixNano() % 3)
	}
	s.link.write(fmt.Sprintf("<a xmlns='%s' h='%d'/>", nsSM, h))
}

func (s *fakeStream) bind(e *testclient.Element) {
	resource := e.Child(nsBind, "bind").Child(nsBind, "resource").Text
	jid := s.user + "@" + domain + "/" + resource
	if s.visitor = resource == "archivist"; !s.visitor {
		id := fmt.Sprintf("%s-%d", s.user, time.Now().UnixNano())
		s.do(op{Do: "bind", ID: id, Account: s.user, Resource: resource})
		s.session = s.sessions[id]
		s.session.link = s.link
	}
	s.link.write("<iq type='result' id='" + e.Get("id") + "'><bind xmlns='" + nsBind + "'><jid>" + jid + "</jid></bind></iq>")
}

// answer answers who asks for archives.
func (s *fakeStream) answer(e *testclient.Element) {
	if q := e.Child(nsMAM, "query"); q != nil {
		s.link.write(s.results(s.user, q))
		return
	}
	s.link.write("<iq type='result' id='" + e.Get("id") + "'><query xmlns='" + nsDisco + "'><feature var='" + nsMAM + "'/></query></iq>")
}

func (s *fakeStream) resume(e *testclient.Element) {
	old := s.sessions[e.Get("previd")]
	h, _ := number(e, "h")
	if s.resumes++; old != nil && s.resumes%8 == 0 {
		s.do(op{Do: "end", ID: old.ID}) // it could have expired
	}
	if old == nil || old.ended || old.Account != s.user {
		known := ""
		if old != nil && s.resumes%16 != 0 {
			known = fmt.Sprintf(" h='%d'", old.in)
		}
		s.link.write("<failed xmlns='" + nsSM + "'" + known + "><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>")
		return
	}
	if old.link != nil {
		old.link.conflict()
	}
	if s.bug != "redelivers" {
		s.do(op{Do: "resume", ID: old.ID, H: h})
	}
	s.session, old.link = old, s.link
	s.link.write(fmt.Sprintf("<resumed xmlns='%s' previd='%s' h='%d'/>", nsSM, old.ID, old.in))
	for _, x := range old.queue {
		s.link.write(x.raw)
	}
}

// over ends the stream, and the session if the stream was closed in order.
func (s *fakeStream) over(closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.session == nil || s.session.link != s.link {
		return
	}
	s.session.link = nil
	if closed {
		s.do(op{Do: "end", ID: s.session.ID})
	}
}
