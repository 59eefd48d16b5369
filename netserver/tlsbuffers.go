package netserver

import (
	"bytes"
	"crypto/tls"
	"reflect"
	"unsafe"
)

// crypto/tls keeps the buffer of the largest record it has read, 1 to 16 KiB,
// for as long as a connection lives, and there is no public way to give it
// back. Its fields are found by name and type once, when a Server is made; if
// they aren't what is expected nothing is done, which costs memory only. They
// are touched only by the holder of the reader token, who is the only one to
// call Read, which is the only user of these fields after the handshake.

// tlsFields are the offsets of crypto/tls.Conn's input buffers.
type tlsFields struct {
	ok                    bool
	rawInput, input, hand uintptr
}

func findTLSFields() tlsFields {
	t := reflect.TypeFor[tls.Conn]()
	raw, ok1 := t.FieldByName("rawInput")
	in, ok2 := t.FieldByName("input")
	hand, ok3 := t.FieldByName("hand")
	buf, rd := reflect.TypeFor[bytes.Buffer](), reflect.TypeFor[bytes.Reader]()
	if !ok1 || !ok2 || !ok3 || raw.Type != buf || in.Type != rd || hand.Type != buf {
		return tlsFields{}
	}
	return tlsFields{true, raw.Offset, in.Offset, hand.Offset}
}

// drop replaces the input buffers of t if they are empty.
func (f tlsFields) drop(t *tls.Conn) {
	if !f.ok {
		return
	}
	p := unsafe.Pointer(t)
	raw := (*bytes.Buffer)(unsafe.Add(p, f.rawInput))
	in := (*bytes.Reader)(unsafe.Add(p, f.input))
	hand := (*bytes.Buffer)(unsafe.Add(p, f.hand))
	if raw.Len() > 0 || in.Len() > 0 || hand.Len() > 0 {
		return
	}
	// input points into the memory of rawInput.
	*raw, *in, *hand = bytes.Buffer{}, bytes.Reader{}, bytes.Buffer{}
}

// dropTLSBuffers is for the quiet moment; the reader token is held.
func (c *Conn) dropTLSBuffers() {
	if t := c.tlsc.Load(); t != nil {
		c.srv.tlsFields.drop(t)
	}
}
