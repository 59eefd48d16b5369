package acks_test

import (
	"fmt"
	"testing"

	"weir/c2s"
	"weir/modules/acks"
	"weir/sessionmgr"
)

// A server of streams is told to offer stream management. Which sessions may be
// resumed, and for how long, is the manager's setting.
func ExampleNew() {
	var (
		streams *c2s.Server // made by c2s.New
		manager *sessionmgr.Manager
	)
	err := acks.New(streams, manager, acks.Options{Location: "a.example.org:xmpp"})
	fmt.Println(err)
	// Output: acks: Location is "a.example.org:xmpp": "xmpp" is not a port
}

// TestLocations holds which places to reconnect to are taken.
func TestLocations(t *testing.T) {
	for location, ok := range map[string]bool{
		"": true, "a.example.org": true, "a.example.org:5222": true, "192.0.2.1": true, "192.0.2.1:5222": true,
		"[2001:db8::1]": true, "[2001:db8::1]:5222": true,
		"2001:db8::1": false, ":5222": false, "a.example.org:": false, "a.example.org:0": false, "a.example.org:70000": false,
		"juliet@example.org": false, "a.example.org/x": false, "a b": false, "[]": false,
	} {
		o := acks.Options{Location: location}
		if err := o.Validate(); (err == nil) != ok {
			t.Errorf("%q: %v", location, err)
		}
	}
}
