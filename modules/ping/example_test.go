package ping_test

import (
	"fmt"

	"weir/modules/ping"
	"weir/sessionmgr/sessiontest"
)

func Example() {
	h := sessiontest.New()
	defer h.Close()
	ping.New(h.Manager)
	juliet := h.Online("juliet@verona.lit/balcony")
	fmt.Println(juliet.Ask("<iq type='get' id='1' to='verona.lit'><ping xmlns='urn:xmpp:ping'/></iq>"))
	fmt.Println(juliet.Ask("<iq type='get' id='2'><ping xmlns='urn:xmpp:ping'/></iq>"))
	// Output:
	// <iq from='verona.lit' to='juliet@verona.lit/balcony' id='1' type='result'/>
	// <iq to='juliet@verona.lit/balcony' id='2' type='result'/>
}
