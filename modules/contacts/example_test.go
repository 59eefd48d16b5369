package contacts_test

import (
	"fmt"

	"weir/modules/contacts"
	"weir/presence"
	"weir/roster"
	"weir/sessionmgr"
	"weir/storage"
)

// wire is how the root of a server puts the three packages together.
func wire(m *sessionmgr.Manager, st storage.Store) (*contacts.Module, error) {
	rosters, err := roster.New(st, roster.Options{})
	if err != nil {
		return nil, err
	}
	handler, err := presence.New(m, rosters, st, presence.Options{})
	if err != nil {
		return nil, err
	}
	return contacts.New(m, rosters, handler, contacts.Options{})
}

var _ = wire

func ExampleStreamFeatures() {
	fmt.Println(string(contacts.StreamFeatures()))
	// Output:
	// <ver xmlns='urn:xmpp:features:rosterver'/><sub xmlns='urn:xmpp:features:pre-approval'/>
}
