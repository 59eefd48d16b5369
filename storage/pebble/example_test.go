package pebble_test

import (
	"context"
	"fmt"

	"weir/storage"
	"weir/storage/pebble"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func Example() {
	st, err := pebble.Open(pebble.Options{Dir: "weir-data/store", FS: vfs.NewMem()})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer st.Close()

	rosters, messages := storage.NewMap(st, "roster"), storage.NewLog(st, "messages")
	ids, err := storage.NewIDs(context.Background(), st)
	if err != nil {
		fmt.Println(err)
		return
	}
	var b storage.Batch // both or none
	rosters.Put(&b, "juliet@example.com", "romeo@example.net", []byte("Romeo"))
	messages.Append(&b, "juliet@example.com", ids.Next(), []byte("Wherefore art thou?"))
	durable := make(chan error)
	st.Commit(&b, func(err error) { durable <- err })
	fmt.Println("committed:", <-durable)

	_, rec, err := messages.Last(context.Background(), "juliet@example.com")
	fmt.Printf("%s %v\n", rec, err)
	// Output:
	// committed: <nil>
	// Wherefore art thou? <nil>
}
