package roster

import (
	"cmp"
	"context"
	"slices"

	"weir/jid"
)

// Get calls answer with the account's roster, for a client that knows version
// ver; nil: it asked without one. It waits until all changes are committed, so
// that nobody is shown what a failure could take back, and has the turn while
// answer runs, so that pushes of later changes come after it
// (RFC 6121 §2.6.3). answer must not block.
func (r *Rosters) Get(ctx context.Context, account jid.JID, ver *string, answer func(*View)) error {
	a := r.shard(account).take(account)
	defer r.shard(account).release(a)
	a.turn.Lock()
	defer a.turn.Unlock()
	for {
		a.waitSettled()
		if a.ready() {
			break
		}
		if err := a.refresh(ctx, r.store); err != nil {
			return err
		}
	}
	answer(a.view(ver))
	return nil
}

// view is the roster for a client that knows version ver. The turn is held.
func (a *account) view(ver *string) *View {
	v := &View{Account: a.jid, Ver: a.ver.token()}
	if ver != nil {
		if n, ok := a.ver.parse(*ver); ok && n >= a.ver.deleted {
			if pushes, few := a.since(n); few {
				v.Unchanged, v.Pushes = true, pushes
				return v
			}
		}
	}
	v.Items = make([]Item, 0, a.listed)
	for _, i := range a.items {
		if i.Listed {
			v.Items = append(v.Items, *i)
		}
	}
	return v
}

// since returns the pushes that lead from the version with counter n to the
// present one, in the order of the changes. few is false where the whole
// roster would be shorter. The bookkeeping is the add-only one of XEP-0237 §4.3.
func (a *account) since(n uint64) (pushes []Push, few bool) {
	for _, i := range a.items {
		if i.Listed && i.changed > n {
			pushes = append(pushes, Push{Account: a.jid, Item: *i, Ver: a.ver.at(i.changed)})
		}
	}
	slices.SortFunc(pushes, func(x, y Push) int { return cmp.Compare(x.Item.changed, y.Item.changed) })
	return pushes, len(pushes) == 0 || 2*len(pushes) < a.listed
}
