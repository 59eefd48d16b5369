//go:build !race

package examples

// raceEnabled builds the programs as the test itself is built.
const raceEnabled = false
