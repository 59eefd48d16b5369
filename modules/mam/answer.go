package mam

import (
	"context"
	"strconv"

	"weir/jid"
	"weir/sessionmgr"
	"weir/stanza"
)

// query answers with a page: its messages, then the result (XEP-0313 §4). All of
// it is one entry of the pipeline, so nothing comes between.
func (mod *Module) query(ctx context.Context, iq *stanza.Stanza) (any, error) {
	s, account, err := asker(ctx, iq)
	if err != nil {
		return nil, err
	}
	q, err := parse(iq, account, mod.o.MaxPage)
	if err != nil {
		return nil, err
	}
	mod.m.Room(s) // who asks for many pages at once reads them one by one
	p, gone, err := mod.find(ctx, s, q)
	if err != nil {
		return nil, err
	}
	switch {
	case gone:
		return nil, sessionmgr.ErrAnswered
	case s.Link() == nil: // an answer may wait for the session to be resumed, its messages don't
		return nil, stanza.ResourceConstraint("the stream broke; ask again")
	}
	fin, err := iq.Result(p.fin())
	if err != nil {
		return nil, err
	}
	out := make([]sessionmgr.Delivery, 0, len(p.results)+1)
	for _, st := range p.results {
		out = append(out, sessionmgr.Delivery{To: s, Stanza: st})
	}
	out = append(out, sessionmgr.Delivery{To: s, Stanza: fin})
	mod.m.Submit(sessionmgr.Entry{From: s, Out: out, Done: func(err error) {
		if err == nil && q.whole() && p.last > 0 && s.Link() != nil {
			mod.m.Fetched(s, p.first-1, p.last)
		}
	}})
	return nil, sessionmgr.ErrAnswered
}

// whole reports whether a page has everything of the archive between its ends.
func (q *query) whole() bool { return q.with.IsZero() && q.ids == nil }

// result makes the message that carries one of the archive (XEP-0313 §4.2). It
// comes from the account, which clients check (XEP-0313 §8.2).
func (q *query) result(a *Archived, to jid.JID) *stanza.Stanza {
	attrs := make([][2]string, 0, 2)
	if q.named {
		attrs = append(attrs, [2]string{"queryid", q.id})
	}
	e := stanza.Envelope{
		From: q.account, To: to, NS: NS, Local: "result",
		Attrs: append(attrs, [2]string{"id", FormatID(a.ID)}), At: a.At,
	}
	return e.Forward(a.Stanza)
}

// fin is the payload of the result: where the page lies in the set (XEP-0313
// §4.3.2). First and last are so in the order of the archive also where the page
// is sent the other way round: flipping changes nothing else.
func (p *page) fin() []byte {
	b := []byte("<fin xmlns='" + NS + "'")
	if p.complete {
		b = append(b, " complete='true'"...)
	}
	b = append(b, "><set xmlns='"+nsRSM+"'>"...)
	if len(p.results) > 0 { // XEP-0059 §2.2
		b = append(b, "<first"...)
		if p.index >= 0 {
			b = append(strconv.AppendInt(append(b, " index='"...), int64(p.index), 10), '\'')
		}
		b = append(append(append(b, '>'), FormatID(p.first)...), "</first><last>"...)
		b = append(append(b, FormatID(p.last)...), "</last>"...)
	}
	if p.count >= 0 {
		b = append(strconv.AppendInt(append(b, "<count>"...), int64(p.count), 10), "</count>"...)
	}
	return append(b, "</set></fin>"...)
}

// metadata answers what the archive spans (XEP-0313 §5).
func (mod *Module) metadata(ctx context.Context, iq *stanza.Stanza) (any, error) {
	_, account, err := asker(ctx, iq)
	if err != nil {
		return nil, err
	}
	return mod.Metadata(ctx, account)
}

// Metadata returns the element that tells what an account's archive spans
// (XEP-0313 §5): clients that bind with their login get it unasked (XEP-0386 §3.2).
// It reads storage.
func (mod *Module) Metadata(ctx context.Context, account jid.JID) ([]byte, error) {
	defer mod.read()()
	b := []byte("<metadata xmlns='" + NS + "'>")
	end := func(name string) func(Archived) bool {
		return func(a Archived) bool {
			b = append(b, "<"+name+" id='"+FormatID(a.ID)+"' timestamp='"+stanza.Stamp(a.At)+"'/>"...)
			return false
		}
	}
	if err := mod.archive.Archived(ctx, account, 0, end("start")); err != nil {
		return nil, err
	}
	if err := mod.archive.ArchivedBefore(ctx, account, newest, end("end")); err != nil {
		return nil, err
	}
	return append(b, "</metadata>"...), nil
}
