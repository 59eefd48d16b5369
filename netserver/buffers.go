package netserver

import "sync"

// Sizes of pooled buffers, in bytes.
const (
	readSize = 16 << 10 // one read of the socket; also the largest TLS record
	outSize  = 2 << 10  // an out-buffer when it is taken
	outKeep  = 64 << 10 // a larger out-buffer is not pooled again
)

// buffer is a growing byte slice in a box, so that pooling it allocates nothing.
type buffer struct{ b []byte }

// readBuffer is where one read of the socket goes.
type readBuffer [readSize]byte

// pools are what connections take buffers from. An idle connection owns none.
type pools struct {
	out  sync.Pool
	read sync.Pool
}

func (p *pools) getOut() *buffer {
	if b, ok := p.out.Get().(*buffer); ok {
		return b
	}
	return &buffer{b: make([]byte, 0, outSize)}
}

func (p *pools) putOut(b *buffer) {
	if b == nil || cap(b.b) > outKeep || cap(b.b) == 0 {
		return
	}
	b.b = b.b[:0]
	p.out.Put(b)
}

func (p *pools) getRead() *readBuffer {
	if b, ok := p.read.Get().(*readBuffer); ok {
		return b
	}
	return new(readBuffer)
}

func (p *pools) putRead(b *readBuffer) {
	if b != nil {
		p.read.Put(b)
	}
}
