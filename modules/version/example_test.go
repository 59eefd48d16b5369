package version_test

import (
	"fmt"

	"weir/modules/version"
	"weir/sessionmgr/sessiontest"
)

func Example() {
	h := sessiontest.New()
	defer h.Close()
	version.New(h.Manager, "weir", "1.2.3")
	juliet := h.Online("juliet@verona.lit/balcony")
	fmt.Println(juliet.Ask("<iq type='get' id='1' to='verona.lit'><query xmlns='jabber:iq:version'/></iq>"))
	// Output:
	// <iq from='verona.lit' to='juliet@verona.lit/balcony' id='1' type='result'><query xmlns="jabber:iq:version"><name>weir</name><version>1.2.3</version></query></iq>
}
