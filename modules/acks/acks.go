// Package acks is the wire side of stream management (XEP-0198): a client turns
// it on, both sides acknowledge stanzas, and a client that lost its connection
// resumes its stream on another.
//
// It owns the elements of urn:xmpp:sm:3 and the pace at which they are sent. It
// must not know how stanzas are numbered, kept and sent again: that is
// sessionmgr's (acks.go, resume.go and pull.go there), and an acknowledgement
// tells no more than what is durable there. Its handlers run on the stream's
// reader goroutine, those that wait for the store on a goroutine of their own;
// the pre-drain runs on whichever goroutine writes.
//
// It implements XEP-0198 without its server-to-server side; a client may resume or
// turn it on with its login (inline.go). Start reading at [New].
package acks

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"weir/c2s"
	"weir/hook"
	"weir/jid"
	"weir/sessionmgr"
	"weir/stanza"
	"weir/xmlstream"

	merr "mellium.im/xmpp/stanza"
	"mellium.im/xmpp/stream"
)

// NS is the namespace of stream management.
const NS = "urn:xmpp:sm:3"

// Options are the settings of the module.
type Options struct {
	// Location is where clients are asked to reconnect for a resumption, for
	// servers behind one name: "a.example.org" or "a.example.org:5222", an IPv6
	// address in brackets (XEP-0198 §3). Default "": they go where they would anyway.
	Location string
}

// DefaultOptions returns the settings of a module that nobody configured.
func DefaultOptions() Options { return Options{} }

// Validate says what is wrong with the settings.
func (o *Options) Validate() error {
	if o.Location == "" {
		return nil
	}
	host := o.Location
	if h, port, err := net.SplitHostPort(o.Location); err == nil {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return fmt.Errorf("acks: Location is %q: %q is not a port", o.Location, port)
		}
		host = h
	} else if len(host) > 2 && host[0] == '[' && host[len(host)-1] == ']' {
		host = host[1 : len(host)-1]
	} else if strings.Contains(host, ":") {
		return fmt.Errorf("acks: Location is %q: an IPv6 address stands in brackets", o.Location)
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]" // as an address has it
	}
	if j, err := jid.New("", host, ""); err != nil || strings.ContainsAny(host, "@/ ") || j.Domain() == "" {
		return fmt.Errorf("acks: Location is %q, which has no host", o.Location)
	}
	return nil
}

// module is what the handlers share.
type module struct {
	m *sessionmgr.Manager
	o Options
}

// everywhere: in the wrong state these elements have an answer of their own
// (XEP-0198 §3).
const everywhere = c2s.Plain | c2s.Secured | c2s.Authenticated | c2s.Bound

// New has a server of streams offer stream management. An error is one of the
// settings.
func New(streams *c2s.Server, m *sessionmgr.Manager, o Options) error {
	if err := o.Validate(); err != nil {
		return err
	}
	x := &module{m, o}
	streams.HandleNonza(c2s.Nonza{NS: NS, Local: "enable", States: everywhere, Handle: x.enable})
	streams.HandleNonza(c2s.Nonza{NS: NS, Local: "resume", States: everywhere, Handle: x.resume})
	streams.HandleNonza(c2s.Nonza{NS: NS, Local: "r", States: c2s.Bound, Free: true, Handle: x.request})
	streams.HandleNonza(c2s.Nonza{NS: NS, Local: "a", States: c2s.Bound, Free: true, Handle: x.acknowledge})
	streams.HandleInline(c2s.Inline{NS: NS, Local: "resume", Feature: "sm", Before: x.resumeInline})
	streams.HandleInline(c2s.Inline{NS: NS, Local: "enable", Bind: true, Feature: NS, Before: x.askInline, After: x.enabledInline})
	streams.Hooks.StreamFeatures.Add("acks", hook.Normal, x.offer)
	streams.Hooks.PreDrain.Add("acks", hook.Late, x.preDrain)
	streams.Hooks.Ending.Add("acks", hook.Normal, x.ending)
	streams.Hooks.Idle.Add("acks", hook.Normal, x.idle)
	return nil
}

func (x *module) offer(_ context.Context, f *c2s.StreamFeatures) {
	// A session that was bound with its login may have turned it on there.
	if _, on := f.Session.LastAck(f.Session.Link()); f.State >= c2s.Authenticated && !on {
		f.XML = append(f.XML, "<sm xmlns='"+NS+"'/>"...)
	}
}

// enable answers <enable/>. A second one ends the stream (XEP-0198 §3).
func (x *module) enable(_ context.Context, s *c2s.Stream, tok *xmlstream.Token) error {
	if s.State() != c2s.Bound {
		return s.Send(failed(merr.UnexpectedRequest))
	}
	resume, most, ok := wish(tok)
	if !ok {
		return s.Send(failed(merr.BadRequest))
	}
	s.Work(func(ctx context.Context) {
		err := x.m.Enable(ctx, s.Session(), s, resume, most, func(e sessionmgr.Enabled) {
			_ = s.Send(func(dst []byte) []byte { return x.enabled(dst, e) }) // a stream that is gone needs no answer
		})
		e, refused := stanza.AsError(err)
		if !refused {
			return
		}
		_ = s.Send(failed(e.Condition))
		if e.Condition == merr.UnexpectedRequest {
			s.Fail(&stream.PolicyViolation)
		}
	})
	return nil
}

// enabled appends the answer (XEP-0198 §3).
func (x *module) enabled(dst []byte, e sessionmgr.Enabled) []byte {
	dst = append(dst, "<enabled xmlns='"+NS+"'"...)
	if e.ID != "" {
		dst = append(append(dst, " id='"...), e.ID...)
		dst = append(dst, "' resume='true' max='"...)
		dst = append(strconv.AppendInt(dst, int64(e.Keep/time.Second), 10), '\'')
		if x.o.Location != "" {
			dst = append(xmlstream.AppendAttr(append(dst, " location='"...), x.o.Location), '\'')
		}
	}
	return append(dst, "/>"...)
}

// resume answers <resume/> (XEP-0198 §5). After a failure the client may bind.
func (x *module) resume(_ context.Context, s *c2s.Stream, tok *xmlstream.Token) error {
	if s.State() != c2s.Authenticated {
		return s.Send(failed(merr.UnexpectedRequest))
	}
	previd, h, ok := wanted(tok)
	if !ok {
		return s.Send(failed(merr.BadRequest))
	}
	s.Work(func(ctx context.Context) {
		if refused, _ := x.resumeStream(ctx, s, previd, h); refused != nil {
			_ = s.Send(refused)
		}
	})
	return nil
}

// wanted reads which stream is to be resumed, and from where.
func wanted(e element) (previd string, h uint32, ok bool) {
	id, named := e.Attr("previd")
	h, ok = count(e)
	return string(id), h, ok && named
}

// resumeStream resumes a session on a stream and tells so there. Where it can't,
// it returns what appends the answer, nil if that is more than an answer; and
// whether it may work later, as where the disk is full.
func (x *module) resumeStream(ctx context.Context, s *c2s.Stream, previd string, h uint32) (refused func([]byte) []byte, later bool) {
	err := s.Resume(ctx, previd, h, func(dst []byte, handled uint32) []byte {
		dst = append(dst, "<resumed xmlns='"+NS+"' previd='"...)
		dst = append(xmlstream.AppendAttr(dst, previd), "' h='"...)
		return append(strconv.AppendUint(dst, uint64(handled), 10), "'/>"...)
	})
	var e *sessionmgr.ResumeError
	switch {
	case !errors.As(err, &e):
		return nil, false
	case e.TooHigh: // as for <a/> (XEP-0198 §5)
		tooHigh(s, h, e.Sent)
		return nil, false
	}
	return func(dst []byte) []byte { return notResumed(dst, e) }, e.Reason.Type == merr.Wait
}

// notResumed appends <failed/>, with what was handled of a session that has
// ended.
func notResumed(dst []byte, e *sessionmgr.ResumeError) []byte {
	dst = append(dst, "<failed xmlns='"+NS+"'"...)
	if e.Known {
		dst = append(strconv.AppendUint(append(dst, " h='"...), uint64(e.Handled), 10), '\'')
	}
	dst = append(dst, '>')
	return append(condition(dst, e.Reason.Condition), "</failed>"...)
}

// failed returns what appends <failed/> with a condition (XEP-0198 §6).
func failed(c merr.Condition) func([]byte) []byte {
	return func(dst []byte) []byte {
		return append(condition(append(dst, "<failed xmlns='"+NS+"'>"...), c), "</failed>"...)
	}
}

func condition(dst []byte, c merr.Condition) []byte {
	dst = append(append(dst, '<'), c...)
	return append(dst, " xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"...)
}

// request takes an <r/>.
func (x *module) request(_ context.Context, s *c2s.Stream, _ *xmlstream.Token) error {
	x.m.RequestAck(s.Session(), s)
	return nil
}

// acknowledge takes an <a/>. One that can't be read ends the stream, like any
// other element that isn't what its schema says.
func (x *module) acknowledge(_ context.Context, s *c2s.Stream, tok *xmlstream.Token) error {
	h, ok := count(tok)
	if !ok {
		return stream.BadFormat
	}
	x.m.Acknowledge(s.Session(), s, h, func(sent uint32) { tooHigh(s, h, sent) })
	return nil
}

// tooHigh ends a stream whose client acknowledges what it was never sent
// (XEP-0198 §6).
func tooHigh(s *c2s.Stream, h, sent uint32) {
	e := stream.UndefinedCondition
	e.Text = append(e.Text, struct{ Lang, Value string }{"en",
		"you acknowledged " + strconv.FormatUint(uint64(h), 10) + " stanzas, and were sent " + strconv.FormatUint(uint64(sent), 10)})
	payload := []byte("<handled-count-too-high xmlns='" + NS + "' h='")
	payload = append(strconv.AppendUint(payload, uint64(h), 10), "' send-count='"...)
	payload = append(strconv.AppendUint(payload, uint64(sent), 10), "'/>"...)
	s.FailWith(&e, payload)
}

// preDrain appends an acknowledgement and a request for one, where they are due.
func (x *module) preDrain(_ context.Context, d *c2s.PreDrain) {
	h, ack, ask := d.Stream.Session().Due(d.Stream)
	if ack {
		d.Batch = appendAck(d.Batch, h)
	}
	if ask {
		d.Batch = append(d.Batch, "<r xmlns='"+NS+"'/>"...)
	}
}

func appendAck(dst []byte, h uint32) []byte {
	dst = append(dst, "<a xmlns='"+NS+"' h='"...)
	return append(strconv.AppendUint(dst, uint64(h), 10), "'/>"...)
}

// ending has the client learn what was handled before the stream is closed.
func (x *module) ending(_ context.Context, e *c2s.Ending) {
	if h, ok := e.Stream.Session().LastAck(e.Stream); ok {
		e.XML = appendAck(e.XML, h)
	}
}

// idle asks a silent client for an acknowledgement instead of a ping.
func (x *module) idle(_ context.Context, i *c2s.Idle) {
	if _, on := i.Stream.Session().LastAck(i.Stream); !on {
		return
	}
	i.Asked = true
	_ = i.Stream.Send(func(dst []byte) []byte { return append(dst, "<r xmlns='"+NS+"'/>"...) }) // a dead stream ends by itself
}

// element is what requests are read from: an element of the stream's, or one
// within a login.
type element interface {
	Attr(name string) (value []byte, given bool)
}

// count reads the h of an element: an unsignedInt, and nothing else.
func count(tok element) (uint32, bool) {
	v, ok := tok.Attr("h")
	if !ok || !digits(v) || len(v) > 10 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(v), 10, 32)
	return uint32(n), err == nil
}

// digits reports whether a value is a decimal number without a sign.
func digits(v []byte) bool {
	for _, c := range v {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(v) > 0
}

// boolean reads an optional xs:boolean.
func boolean(tok element, name string) (value, ok bool) {
	v, given := tok.Attr(name)
	switch {
	case !given, string(v) == "false", string(v) == "0":
		return false, true
	case string(v) == "true", string(v) == "1":
		return true, true
	}
	return false, false
}

// wish reads whether a client wants to be able to resume, and for how long at most; 0:
// it doesn't say. One that wants to for no time at all doesn't (XEP-0198 §3).
func wish(tok element) (resume bool, most time.Duration, ok bool) {
	resume, ok = boolean(tok, "resume")
	most, fits := seconds(tok, "max")
	if _, given := tok.Attr("max"); given && most == 0 {
		resume = false
	}
	return resume, most, ok && fits
}

// seconds reads an optional number of seconds; 0 where there is none. The schema of
// XEP-0198 has no largest one: what is too much for us means as long as may be.
func seconds(tok element, name string) (time.Duration, bool) {
	v, given := tok.Attr(name)
	if !given || !digits(v) {
		return 0, !given
	}
	n, _ := strconv.ParseUint(string(v), 10, 31) // the largest where it is larger
	return time.Duration(n) * time.Second, true
}
