//go:build unix

package netserver

import (
	"fmt"
	"os"
	"runtime/pprof"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if args := os.Getenv(benchEnv); args != "" {
		if err := benchClient(args); err != nil {
			fmt.Fprintln(os.Stderr, "client of a benchmark:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func writeHeapProfile(tb testing.TB, name string) {
	f, err := os.Create(name)
	if err == nil {
		err = pprof.WriteHeapProfile(f)
		f.Close()
	}
	if err != nil {
		tb.Error(err)
	}
}
