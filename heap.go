package weir

import "runtime"

// HeapFloor is what cmd/weir gives ReserveHeap: with it a busy server with a small heap
// spends a quarter less CPU on a message. More would save more, and leave the memory of
// idle sessions in more pieces.
const HeapFloor = 4 << 20

// ReserveHeap lets the garbage collector run as if that many more bytes were in use. The
// heap of a server with few sessions is a few MiB, and the collector would run
// for every few thousand messages. The reserve is address space only: it is
// never written, so it takes no memory; what grows is the garbage between two
// collections. A program that embeds a server decides for itself; the function
// that is returned gives the reserve back.
func ReserveHeap(bytes int) (release func()) {
	reserve := make([]byte, bytes)
	return func() { runtime.KeepAlive(reserve) }
}
