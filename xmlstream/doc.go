// Package xmlstream owns the scanner of restricted XML: it finds the header,
// the complete top-level elements and the closing tag of one XML stream in a
// growing buffer of bytes, and proves on the way that they are well-formed,
// namespace-well-formed and within limits. It also owns the writer that says an
// element again in a form which every parser reads the same way, and a small
// iterator over bytes that were checked before.
//
// It must not know stanzas, addresses, sockets or sessions.
//
// A Scanner is called by the goroutine that reads its connection and by nobody
// else. Walker and the Append functions keep no state that two goroutines could
// share.
//
// It implements the restrictions of RFC 6120 §11 on XML 1.0 and Namespaces in
// XML 1.0: there are no DTDs, comments, processing instructions or entities
// here, and no code that could read them.
//
// Start reading at token.go (what comes out), then scanner.go (Next), element.go
// (the loop over one element) and tag.go. walk.go and write.go use what the
// scanner has found.
package xmlstream
