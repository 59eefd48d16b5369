//go:build !race

package integration_test

// raceEnabled builds the server as the test itself is built.
const raceEnabled = false
