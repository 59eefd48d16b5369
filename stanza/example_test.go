package stanza_test

import (
	"fmt"
	"time"

	"weir/jid"
	"weir/stanza"
)

func Example() {
	juliet := jid.MustParse("juliet@example.com/balcony")
	romeo := jid.MustParse("romeo@example.net")

	m, err := stanza.New(stanza.Message, "chat", "1", juliet, romeo, []byte("<body>Art thou not Romeo?</body>"))
	if err != nil {
		fmt.Println(err)
		return
	}
	late := m.WithChild(stanza.Delay(romeo.Host(), time.Unix(0, 0), ""))
	fmt.Printf("%s\n", late.AppendTo(nil))
	fmt.Println(late.Payload().Local, late.Text(stanza.NSClient, "body"))
	fmt.Printf("%s\n", m.ErrorReply(stanza.ServiceUnavailable()).AppendTo(nil))
	// Output:
	// <message from='juliet@example.com/balcony' to='romeo@example.net' id='1' type='chat'><body>Art thou not Romeo?</body><delay xmlns='urn:xmpp:delay' from='example.net' stamp='1970-01-01T00:00:00.000Z'/></message>
	// body Art thou not Romeo?
	// <message from='romeo@example.net' to='juliet@example.com/balcony' id='1' type='error'><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>
}
