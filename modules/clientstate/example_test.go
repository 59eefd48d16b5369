package clientstate_test

import (
	"fmt"

	"weir/c2s"
	"weir/modules/clientstate"
	"weir/sessionmgr"
)

// What a client sends is for a bound stream of the server, whose sessions the
// manager has.
func ExampleNew() {
	offer := func(streams *c2s.Server, m *sessionmgr.Manager) { clientstate.New(streams, m) }
	_ = offer
	fmt.Printf("<inactive xmlns='%s'/>\n", clientstate.NS)
	// Output: <inactive xmlns='urn:xmpp:csi:0'/>
}
