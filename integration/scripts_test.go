package integration_test

import (
	"fmt"
	"os"
	"testing"

	"weir/integration/script"
	"weir/integration/testserver"
)

// binary is the server under test, built once a run.
var binary = &testserver.Binary{Race: raceEnabled}

func TestMain(m *testing.M) {
	code := m.Run()
	if err := binary.Remove(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// accounts exist on every server that a script gets.
var accounts = []string{"juliet", "romeo", "nurse", "mercutio"}

func TestScripts(t *testing.T) {
	if _, err := binary.Path(); err != nil {
		t.Fatal(err)
	}
	script.RunScripts(t, "scripts", script.Options{Password: testserver.Password}, func(tb testing.TB, config string) script.Server {
		return testserver.Start(tb, testserver.Options{Binary: binary, Accounts: accounts, Config: config})
	})
}
