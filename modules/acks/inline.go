package acks

import (
	"context"

	"weir/c2s"
	"weir/sessionmgr"
	"weir/stanza"

	merr "mellium.im/xmpp/stanza"
)

// resumeInline takes a <resume/> within a login (XEP-0198 §9.2). After a failure
// the login goes on, to bind a resource as a rule: not where the session is there and
// can't be resumed just now, since a new one of the same device would end it.
func (x *module) resumeInline(ctx context.Context, r *c2s.InlineRequest) {
	previd, h, ok := wanted(r.Element)
	if !ok {
		r.Answer = failed(merr.BadRequest)(r.Answer)
		return
	}
	refused, later := x.resumeStream(ctx, r.Stream, previd, h)
	if r.Unbound = later; refused != nil {
		r.Answer = refused(r.Answer)
	}
}

// askInline takes an <enable/> within the <bind/> of a login: the session begins
// with it (XEP-0198 §9.1).
func (x *module) askInline(_ context.Context, r *c2s.InlineRequest) {
	if resume, most, ok := wish(r.Element); ok {
		r.Binding.Acks = &sessionmgr.EnableRequest{Resume: resume, Most: most}
	}
}

// enabledInline tells what became of it.
func (x *module) enabledInline(_ context.Context, r *c2s.InlineRequest) {
	asked := r.Binding.Acks
	switch {
	case asked == nil:
		r.Answer = failed(merr.BadRequest)(r.Answer)
	case asked.Err != nil:
		condition := merr.InternalServerError
		if e, ok := stanza.AsError(asked.Err); ok {
			condition = e.Condition
		}
		r.Answer = failed(condition)(r.Answer)
	default:
		r.Answer = x.enabled(r.Answer, asked.Enabled)
	}
}
