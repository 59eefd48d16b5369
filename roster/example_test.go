package roster_test

import (
	"context"
	"fmt"

	"weir/jid"
	"weir/roster"
	"weir/storage"
	"weir/storage/pebble"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func Example() {
	st, err := pebble.Open(pebble.Options{FS: vfs.NewMem(), Dir: "data"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer st.Close()
	rosters, err := roster.New(st, roster.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	romeo, juliet := jid.MustParse("romeo@example.net"), jid.MustParse("juliet@example.com")

	tx, err := rosters.Begin(ctx, romeo)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer tx.Close()
	change, err := tx.Apply(romeo, juliet, roster.OutSubscribe, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	committed := make(chan error, 1)
	tx.Commit(func(w storage.Batch, settle func(error)) {
		st.Commit(&w, func(err error) { settle(err); committed <- err })
	})
	fmt.Println(<-committed)
	fmt.Println(change.Was.State, "→", change.Now.State)
	fmt.Println("route it:", change.Pass, "push:", change.Push.Item.State.Subscription(), change.Push.Item.State.PendingOut())
	// Output:
	// <nil>
	// None → None + Pending Out
	// route it: true push: none true
}
