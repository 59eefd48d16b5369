// Package stanza owns the stanza: a message, presence or IQ as one immutable
// value that holds its addresses and, as bytes, its payload; building, stamping
// and answering stanzas; the stanza errors; and typed decoding of payloads.
//
// It must not know sessions, streams or sockets, nor which modules there are.
//
// A Stanza is made by the goroutine that read it or by whoever answers, and from
// then on is read by many: the pipeline, the drainers of all receivers, module
// handlers. Nothing in it changes, so it needs no lock. There is no DOM: the
// payload goes through as the bytes that came, where package xmlstream says that
// they mean the same to every parser, and as its writer says them again where
// not. The path of a message costs two allocations to read and none to write.
//
// It implements RFC 6120 §8 (XML stanzas and stanza errors), the types of RFC
// 6121 §4.7.1 and §5.2.2, the stamp of XEP-0203 (delayed delivery) with
// XEP-0082 (date and time), the id of XEP-0359 that an archive adds, and the
// envelope of XEP-0297 (stanza forwarding).
//
// Start reading at [Stanza] and [FromToken]; index.go says how children are
// found, errors.go how one refuses.
package stanza
