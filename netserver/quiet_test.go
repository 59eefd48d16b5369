package netserver

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"
	"unsafe"
)

// rawInputCap returns the size of the input buffer that crypto/tls holds.
func rawInputCap(f tlsFields, t *tls.Conn) int {
	type buffer struct {
		buf []byte
	}
	return cap((*buffer)(unsafe.Add(unsafe.Pointer(t), f.rawInput)).buf)
}

// The fields are there in this Go: if this fails, idle TLS connections cost up
// to 16 KiB more each, and tlsbuffers.go is to be looked at.
func TestTLSFieldsFound(t *testing.T) {
	if !findTLSFields().ok {
		t.Error("crypto/tls has changed: its idle buffers can't be dropped")
	}
}

// After the quiet time a connection lives on, whether buffers are dropped or not.
func TestQuiet(t *testing.T) {
	for _, drop := range []bool{true, false} {
		s := testServer(t, Options{})
		s.quiet = 10 * time.Millisecond
		s.tlsFields.ok = drop
		r := newRecorder()
		r.onData = echoLines
		k := dial(t, s, r, true)
		f := findTLSFields()
		text := strings.Repeat("x", 15_000) + "\n"
		for range 5 {
			k.send(text)
			k.expect(text)
			time.Sleep(50 * time.Millisecond)
			k.send("half a li") // stays in keep over the quiet time
			time.Sleep(50 * time.Millisecond)
			k.send("ne\n")
			k.expect("half a line\n")
		}
		time.Sleep(100 * time.Millisecond)
		k.conn.Close(nil, time.Second)
		<-r.closed
		if c := rawInputCap(f, k.conn.tlsc.Load()); drop && c != 0 || !drop && c == 0 {
			t.Errorf("drop %t: the buffer has %d bytes", drop, c)
		}
	}
}

// A record of which only a part came isn't lost in the quiet moment.
func TestQuietInsideRecord(t *testing.T) {
	s := testServer(t, Options{})
	s.quiet = 10 * time.Millisecond
	r := newRecorder()
	r.onData = echoLines
	addr, err := s.Listen(Listen{Addr: "127.0.0.1:0", TLS: testCert(t).server(true), New: r.New})
	must(t, err)
	nc, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	cut := &cutConn{Conn: nc}
	tc := tls.Client(cut, testCert(t).client())
	must(t, tc.Handshake())
	cut.on = true
	k := &link{t: t, peer: tc}
	for range 3 {
		k.send("in two parts\n")
		k.expect("in two parts\n")
	}
}
