package sessiontest_test

import (
	"fmt"

	"weir/sessionmgr/sessiontest"
)

func Example() {
	h := sessiontest.New()
	defer h.Close()
	juliet, romeo := h.Online("juliet@verona.lit/balcony"), h.Online("romeo@verona.lit/orchard")
	romeo.Send("<message to='juliet@verona.lit' type='chat'><body>hi</body></message>")
	fmt.Println(juliet.Got()[0])
	// Output:
	// <message from='romeo@verona.lit/orchard' to='juliet@verona.lit' type='chat'><body>hi</body></message>
}
