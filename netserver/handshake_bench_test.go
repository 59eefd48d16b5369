//go:build unix

package netserver

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
)

// benchVisits connects as often as lines come in: a handshake, a few bytes there
// and back, the end.
func benchVisits(addr string, resumed bool) error {
	cfg := &tls.Config{InsecureSkipVerify: true, ServerName: "localhost"}
	if resumed {
		cfg.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	}
	in := bufio.NewScanner(os.Stdin)
	for first := true; in.Scan(); first = false {
		c, err := tls.Dial("tcp", addr, cfg)
		if err != nil {
			return err
		}
		if _, err = io.WriteString(c, "hello\n"); err == nil {
			_, err = io.ReadFull(c, make([]byte, 6))
		}
		if err == nil && c.ConnectionState().DidResume != (resumed && !first) {
			err = errors.New("not the handshake that was asked for")
		}
		if err = errors.Join(err, c.Close()); err != nil {
			return err
		}
	}
	return in.Err()
}

// BenchmarkHandshake reports the server's CPU time for a connection with TLS 1.3 that
// is accepted, makes its handshake, answers six bytes, and ends.
func BenchmarkHandshake(b *testing.B) {
	for _, resumed := range []bool{false, true} {
		b.Run(fmt.Sprintf("resumed=%t", resumed), func(b *testing.B) {
			s := New(Options{Tickets: NewTickets(TicketOptions{})})
			r := newRecorder()
			r.onData = echoLines
			r.conn, r.closed = make(chan *Conn, 1), make(chan error, 1)
			addr, err := s.Listen(Listen{Addr: "127.0.0.1:0", TLS: testCert(b).server(true), New: r.New})
			if err != nil {
				b.Fatal(err)
			}
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s visits %t", benchEnv, addr, resumed))
			cmd.Stderr = os.Stderr
			in, err := cmd.StdinPipe()
			if err == nil {
				err = cmd.Start()
			}
			if err != nil {
				b.Fatal(err)
			}
			visit := func() {
				if _, err := io.WriteString(in, "\n"); err != nil {
					b.Fatal(err)
				}
				<-r.conn
				<-r.closed
			}
			for range 20 {
				visit()
			}
			cpu := cpuTime()
			b.ResetTimer()
			for range b.N {
				visit()
			}
			b.StopTimer()
			b.ReportMetric(float64(cpuTime()-cpu)/1e3/float64(b.N), "cpu-µs/conn")
			in.Close()
			if err := cmd.Wait(); err != nil {
				b.Error(err)
			}
			end(b, s)
		})
	}
}
