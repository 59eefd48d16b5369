package xmlstream

// Scanner finds the elements of one stream. It belongs to one goroutine. The
// zero Scanner is that of a new stream without limits.
type Scanner struct {
	limits Limits
	scope  *scope // what the stream header declared; nil before it
	work   *work  // nil between elements
	err    *Error // what ended the stream
	at     int    // how far an incomplete closing tag was checked
	state  state
	given  bool // work backs a token that is still valid
}

// state says where in its stream a scanner is.
type state uint8

const (
	atStart  state = iota // nothing but whitespace was seen
	inStream              // the header was seen
	atSlash               // so was its "/", the '>' is still there
	atEnd                 // the closing tag was seen
)

// Reset begins a new stream: the next token is its Header. An XML declaration
// may stand before it once more (RFC 6120 §4.3.3). Whitespace before that is
// taken for the end of what went before: clients that end each element with a
// line break send one behind the element that restarts the stream. The last
// token is no longer valid then.
func (s *Scanner) Reset(l Limits) {
	s.drop()
	*s = Scanner{limits: l}
}

// SetLimits changes the limits from the next element on.
func (s *Scanner) SetLimits(l Limits) { s.limits = l }

// Release ends the validity of the last token and gives its memory back. Next
// does so too; call Release if the next call may be long in coming.
func (s *Scanner) Release() {
	if s.given {
		s.drop()
	}
}

// drop gives the working memory back.
func (s *Scanner) drop() {
	if s.work != nil {
		s.work.release()
		s.work = nil
	}
	s.given = false
}

// ContentNamespace returns the default namespace that the stream header
// declared, "" for none (RFC 6120 §4.8.2).
func (s *Scanner) ContentNamespace() string {
	if s.scope == nil {
		return ""
	}
	return s.scope.space
}

// HeaderPrefixes calls yield for each prefix that the stream header declared,
// with its namespace, until yield returns false. A prefix other than that of the
// streams namespace is something RFC 6120 §4.8.5 wants refused.
func (s *Scanner) HeaderPrefixes(yield func(prefix, space string) bool) {
	if s.scope == nil {
		return
	}
	for i := range s.scope.binds {
		b := &s.scope.binds[i]
		if p := s.scope.prefix(b); len(p) > 0 && !yield(string(p), string(s.scope.uri(b))) {
			return
		}
	}
}

// Next looks at the front of buf for one token and returns how many bytes it
// took. With Kind More it took none and the caller gives the same bytes again
// with more behind them (they may have moved in memory); the scanner keeps its
// place among them. An error is an *Error and final.
//
// A header that is closed at once ("/>") gives Header for all but its last byte,
// and Close for that.
func (s *Scanner) Next(buf []byte) (tok Token, n int, err error) {
	if s.err != nil {
		return Token{}, 0, s.err
	}
	if s.given {
		if len(buf) == 0 || buf[0] != '<' || s.state != inStream {
			s.drop()
		} else {
			s.work.begin(s.limits, s.scope)
			s.given = false
		}
	}
	if len(buf) == 0 {
		return Token{}, 0, nil
	}
	if s.work == nil && isSpace(buf[0]) {
		return Token{Kind: Space}, skipSpace(buf, 1), nil
	}
	switch s.state {
	case atStart:
		n = s.header(buf, &tok)
	case inStream:
		n = s.content(buf, &tok)
	case atSlash:
		s.state = atEnd
		tok.Kind, n = Close, 1
	default:
		n = s.failAt(0, condBadFormat, "something after the end of the stream")
	}
	switch n {
	case failed:
		s.err = s.work.err
		s.drop()
		return Token{}, 0, s.err
	case needMore:
		return Token{}, 0, nil
	}
	return tok, n, nil
}

// failAt notes an error outside of elements.
func (s *Scanner) failAt(off int, condition, text string) int {
	s.open()
	return s.work.fail(off, condition, text)
}

// open takes working memory if there is none.
func (s *Scanner) open() {
	if s.work == nil {
		s.work = works.Get().(*work)
		s.work.begin(s.limits, s.scope)
	}
}

// view returns the part of buf within the limit of bytes. What is not complete
// in it never will be if full is set.
func (w *work) view(buf []byte) (view []byte, full bool) {
	limit := w.limits.Bytes
	if limit <= 0 || limit > MaxBytes {
		limit = MaxBytes
	}
	if len(buf) < limit {
		return buf, false
	}
	return buf[:limit:limit], true
}

// header looks for the stream header.
func (s *Scanner) header(buf []byte, tok *Token) int {
	s.open()
	w := s.work
	view, full := w.view(buf)
	end, start := needMore, w.pos
	switch {
	case w.search == 0:
		if start = w.prolog(view); start < 0 {
			end = start
			break
		}
		w.pos = start
		fallthrough
	case w.tagEnds(view):
		end = w.startTag(view, start)
		w.pos = start
	}
	if end == needMore && full {
		return s.tooLarge(view)
	}
	if end == needMore && w.pos+1 < len(view) && view[w.pos] == '<' && view[w.pos+1] != '?' {
		w.awaitTag(view)
	}
	if end < 0 {
		return end
	}
	s.scope = makeScope(w, view)
	s.token(view, end, tok)
	tok.Kind, tok.Raw, tok.Inner = Header, view[w.top.start:end:end], end-w.top.start
	tok.Canonical = false
	s.state = inStream
	if view[end-2] == '/' {
		s.state = atSlash
		end--
	}
	return end
}

// content looks for an element or the closing tag.
func (s *Scanner) content(buf []byte, tok *Token) int {
	if buf[0] != '<' {
		s.open()
		return s.work.outside(buf, 0, condBadFormat)
	}
	if s.work == nil {
		if len(buf) < 2 {
			return needMore
		}
		if buf[1] == '/' {
			return s.closing(buf, tok)
		}
		s.open()
	} else if s.work.pos == 0 && len(buf) > 1 && buf[1] == '/' {
		s.drop()
		return s.closing(buf, tok)
	}
	w := s.work
	view, full := w.view(buf)
	end := w.run(view)
	if end == needMore && full {
		return s.tooLarge(view)
	}
	if end < 0 {
		return end
	}
	s.token(view, end, tok)
	return end
}

// tooLarge ends a stream whose element doesn't end within the limit of bytes,
// unless what there is of it is wrong for another reason.
func (s *Scanner) tooLarge(view []byte) int {
	w := s.work
	if w.search > 0 {
		if r := w.markupOrHeader(view); r == failed {
			return r
		}
	}
	what := "stanza larger than"
	if s.state != inStream {
		what = "stream header larger than"
	}
	return w.over(len(view), what, len(view), "bytes")
}

// markupOrHeader tries the incomplete tag at w.pos once more.
func (w *work) markupOrHeader(view []byte) int {
	if len(w.open) == 0 {
		return w.startTag(view, w.pos)
	}
	return w.markup(view, w.pos)
}

// maxClosing bounds the closing tag of a stream, whose name is bounded already:
// the rest is whitespace.
const maxClosing = 4 * MaxName

// closing looks for the closing tag of the stream (RFC 6120 §4.4).
func (s *Scanner) closing(buf []byte, tok *Token) int {
	root := s.scope.root
	n := len("</") + len(root)
	if have := min(len(buf), n) - len("</"); string(buf[len("</"):len("</")+have]) != root[:have] {
		return s.failAt(0, condNotWellFormed, "end tag of another element than the stream")
	}
	if len(buf) <= n {
		return needMore
	}
	i := skipSpace(buf, max(n, s.at))
	s.at = i
	switch {
	case i > maxClosing:
		return s.failAt(0, condPolicyViolation, "closing tag of the stream larger than 1024 bytes")
	case i >= len(buf):
		return needMore
	case buf[i] != '>':
		return s.failAt(0, condNotWellFormed, "end tag of another element than the stream")
	}
	s.state = atEnd
	tok.Kind = Close
	return i + 1
}

// token fills in what was found about the element that ends at end.
func (s *Scanner) token(buf []byte, end int, tok *Token) {
	w := s.work
	s.given = true
	t := &w.top
	tok.Kind = Element
	tok.Space = w.bytes(buf, t.space)
	tok.Local = buf[t.local:t.nameEnd:t.nameEnd]
	tok.Prefix = prefixOf(buf, t.name, t.local)
	for i := range w.attrs[:t.attrs] {
		a := &w.attrs[i]
		if a.decl {
			continue
		}
		w.attrOut = append(w.attrOut, Attr{
			Space: w.bytes(buf, a.space),
			Local: buf[a.local:a.nameEnd:a.nameEnd],
			Value: w.bytes(buf, a.value),
		})
	}
	for i := range w.kids {
		k := &w.kids[i]
		w.childOut = append(w.childOut, Child{
			Space: w.bytes(buf, k.space),
			Local: buf[k.local:k.nameEnd:k.nameEnd],
			Start: k.start, End: k.end,
		})
	}
	tok.Attrs, tok.Children = w.attrOut, w.childOut
	tok.Raw, tok.Inner = buf[:end:end], t.end
	tok.Canonical, tok.Text = !w.odd, w.text
	tok.scope = s.scope
}
