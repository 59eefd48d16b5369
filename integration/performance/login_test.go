package performance

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkReconnect measures the server's CPU time for a device that was cut off and is
// back by a token: from accept to the session, with all that the loss of the
// connection before cost. It binds anew, or resumes its session, or does so with
// three messages that it gets once more each time. There is no TLS: that is measured
// in netserver. The "alone" of these has one device at a time, the others 32.
func BenchmarkReconnect(b *testing.B) {
	for _, kind := range []struct {
		name     string
		resume   bool
		messages int
		devices  int
	}{
		{"bind", false, 0, 32}, {"resume", true, 0, 32}, {"resume-and-3", true, 3, 32},
		{"resume-and-3/alone", true, 3, 1},
	} {
		b.Run(kind.name, func(b *testing.B) {
			s := startServer(b)
			var all []*device
			for i := range kind.devices {
				all = append(all, newDevice(b, s, fmt.Sprintf("user%d", i), kind.resume, kind.messages))
			}
			each := max(1, b.N/kind.devices)
			var wg sync.WaitGroup
			before := s.cpu()
			b.ResetTimer()
			for _, d := range all {
				wg.Go(func() {
					for range each {
						if err := d.reconnect(); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			b.ReportMetric(float64((s.cpu()-before).Nanoseconds())/1000/float64(each*kind.devices), "server-cpu-µs/login")
		})
	}
}

// device is a client with a token.
type device struct {
	*client
	s     *server
	login string // all that it sends to be back
	waits int    // messages that come again each time
}

// newDevice logs in by password for a token and a session, and sends itself messages
// that it never acknowledges.
func newDevice(b *testing.B, s *server, user string, resume bool, messages int) *device {
	b.Helper()
	d := &device{client: dial(b, s, false), s: s, waits: messages}
	d.send("%s", sasl2("PLAIN", "\x00"+user+"\x00password",
		bindEnable+"<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/>"))
	success := d.text("</success>")
	between := func(text, from, to string) string {
		b.Helper()
		_, rest, found := strings.Cut(text, from)
		value, _, ends := strings.Cut(rest, to)
		if !found || !ends {
			b.Fatalf("no %s in %s", from, success)
		}
		return value
	}
	inside := bindEnable
	if resume {
		id := between(between(success, "<enabled ", ">"), "id='", "'")
		inside = "<resume xmlns='urn:xmpp:sm:3' h='0' previd='" + id + "'/>"
	}
	token := hmac.New(sha256.New, []byte(between(success, " token='", "'")))
	token.Write([]byte("Initiator"))
	d.login = sasl2("HT-SHA-256-NONE", user+"\x00"+string(token.Sum(nil)), "<fast xmlns='urn:xmpp:fast:0'/>"+inside)
	own := between(success, "<authorization-identifier>", "<")
	for range messages {
		d.send("%s", message(own))
		d.until("</message>")
	}
	return d
}

const bindEnable = "<bind xmlns='urn:xmpp:bind:0'><enable xmlns='urn:xmpp:sm:3' resume='true'/></bind>"

// sasl2 is a header with a login behind it.
func sasl2(mechanism, initial, inside string) string {
	return "<?xml version='1.0'?><stream:stream to='localhost' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>" +
		"<authenticate xmlns='urn:xmpp:sasl:2' mechanism='" + mechanism + "'><initial-response>" +
		base64.StdEncoding.EncodeToString([]byte(initial)) + "</initial-response>" +
		"<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'/>" + inside + "</authenticate>"
}

// reconnect loses the connection and comes back.
func (d *device) reconnect() error {
	d.conn.Close()
	var err error
	if d.conn, err = net.Dial("tcp", d.s.addrs["c2s-insecure"]); err != nil {
		return err
	}
	d.conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(d.conn, d.login); err != nil {
		return err
	}
	want := []byte("<resumed ")
	if strings.Contains(d.login, bindEnable) {
		want = []byte("<enabled ")
	}
	d.buf = d.buf[:0]
	chunk := make([]byte, 16<<10)
	for !bytes.Contains(d.buf, want) || bytes.Count(d.buf, []byte("</message>")) < d.waits {
		n, err := d.conn.Read(chunk)
		if d.buf = append(d.buf, chunk[:n]...); err != nil {
			return fmt.Errorf("%w behind %s", err, d.buf)
		}
	}
	return nil
}

// BenchmarkInitialPresence measures how long initial presence takes until its client
// gets it itself, and the server's CPU time for it with the unavailable one before it:
// where sessions may be resumed each leaves a trace in the store first, and where
// none may be none does. One client at a time, and 64.
func BenchmarkInitialPresence(b *testing.B) {
	for _, setting := range []string{"10m", "-1s"} {
		for _, clients := range []int{1, 64} {
			b.Run(fmt.Sprintf("hibernate=%s/clients=%d", setting, clients), func(b *testing.B) {
				initialPresence(b, startServer(b, "WEIR_PERFORMANCE_HIBERNATE="+setting), clients)
			})
		}
	}
}

func initialPresence(b *testing.B, s *server, clients int) {
	var all []*client
	for i := range clients {
		all = append(all, login(b, s, false, fmt.Sprintf("user%d", i), "x"))
	}
	each := max(1, b.N/clients)
	var waited atomic.Int64
	var wg sync.WaitGroup
	before := s.cpu()
	b.ResetTimer()
	for _, c := range all {
		wg.Go(func() {
			for range each {
				c.send("<presence type='unavailable'/><iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>")
				c.until(" id='p'")
				start := time.Now()
				c.send("<presence/>")
				c.until("<presence ")
				waited.Add(int64(time.Since(start)))
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	times := float64(each * clients)
	b.ReportMetric(float64(waited.Load())/1000/times, "µs-to-own-presence")
	b.ReportMetric(float64((s.cpu()-before).Nanoseconds())/1000/times, "server-cpu-µs/presence")
}
