// Package clientstate lets a client say that its user looks elsewhere (XEP-0352):
// it owns the two elements of urn:xmpp:csi:0 and the stream feature that announces
// them.
//
// It must not know what is held back from such a client, in which order, and when
// it goes out: that is the pipeline's (sessionmgr/inactive.go), which holds back
// before it numbers. It keeps nothing: the state is part of the session and ends
// with its stream. Its handlers run on the stream's reader goroutine and don't
// block, so what a client asks for next is handled after what they did.
//
// Start reading at [New].
package clientstate

import (
	"context"

	"weir/c2s"
	"weir/hook"
	"weir/sessionmgr"
	"weir/xmlstream"
)

// NS is the namespace of client state.
const NS = "urn:xmpp:csi:0"

// New has a server of streams take the state of clients. Both elements count for
// the rate limits, so a client that changes its mind all the time is slowed down.
func New(streams *c2s.Server, m *sessionmgr.Manager) {
	for _, inactive := range []bool{false, true} {
		local := "active"
		if inactive {
			local = "inactive"
		}
		streams.HandleNonza(c2s.Nonza{
			NS: NS, Local: local, States: c2s.Bound,
			Handle: func(_ context.Context, s *c2s.Stream, _ *xmlstream.Token) error {
				m.SetInactive(s.Session(), s, inactive)
				return nil // XEP-0352 §4.2: there is no reply
			},
		})
	}
	streams.HandleInline(c2s.Inline{ // XEP-0386 §3.2
		NS: NS, Local: "inactive", Bind: true, Feature: NS,
		Before: func(_ context.Context, r *c2s.InlineRequest) { r.Binding.Inactive = true },
	})
	streams.Hooks.StreamFeatures.Add("clientstate", hook.Normal, func(_ context.Context, f *c2s.StreamFeatures) {
		// XEP-0352 §4.1: after the client has authenticated. Behind a login that bound
		// the session too there are features once more, and they are the last.
		if f.State >= c2s.Authenticated {
			f.XML = append(f.XML, "<csi xmlns='"+NS+"'/>"...)
		}
	})
}
