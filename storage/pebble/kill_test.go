package pebble

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"weir/storage"
)

// killEnv makes this test binary the process that is killed.
const killEnv = "WEIR_TEST_KILL_STORE"

func TestMain(m *testing.M) {
	if arg := os.Getenv(killEnv); arg != "" {
		durability, dir, _ := strings.Cut(arg, ":")
		commitForEver(Durability(durability), dir)
		return
	}
	os.Exit(m.Run())
}

// commitForEver commits batches and says which were answered, on standard output.
func commitForEver(d Durability, dir string) {
	st, err := Open(Options{Dir: dir, Durability: d, MemTable: 128 << 10})
	if err != nil {
		fmt.Println("open:", err)
		os.Exit(1)
	}
	first := 1
	if id, _, err := storage.NewLog(st, "part0").Last(context.Background(), "a"); err == nil {
		first = int(id) + 1
	}
	slots := make(chan struct{}, 40)
	for n := first; ; n++ {
		slots <- struct{}{}
		st.Commit(batchOf(st, n, 3), func(err error) {
			if err != nil {
				fmt.Println("commit:", err)
				os.Exit(1)
			}
			// One write(2): what the parent has read was answered before the kill.
			_, _ = os.Stdout.WriteString(strconv.Itoa(n) + "\n")
			<-slots
		})
	}
}

// TestKill9: whatever was answered before a kill -9 is there, with both
// durabilities, many times over on the same store.
func TestKill9(t *testing.T) {
	for _, d := range []Durability{Process, Disk} {
		t.Run(string(d), func(t *testing.T) {
			dir := t.TempDir() + "/store"
			for life := range 6 {
				sure := killed(t, d, dir, 200+life*371)
				st := open(t, Options{Dir: dir, Durability: d})
				got := contents(t, st, 3)
				if len(got) < sure || got[len(got)-1] != len(got) {
					t.Fatalf("life %d: batch %d was answered, %d are there, the last is %d", life, sure, len(got), got[len(got)-1])
				}
				if err := st.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// killed runs commitForEver, kills it after so many answers, and returns the last answer.
func killed(t *testing.T, d Durability, dir string, answers int) (last int) {
	t.Helper()
	return killing(t, d, dir, func(n int) bool { return n == answers })
}

// killing runs commitForEver until stop, called with the count of answers, says
// so for the first time. It returns the last answer.
func killing(t *testing.T, d Durability, dir string, stop func(n int) bool) (last int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), killEnv+"="+string(d)+":"+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	stopped := false
	for n := 0; lines.Scan(); n++ {
		if !stopped && stop(n) {
			stopped = true
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		if last, err = strconv.Atoi(lines.Text()); err != nil {
			t.Fatalf("the process says %q", lines.Text())
		}
	}
	_ = cmd.Wait() // it was killed
	if last == 0 {
		t.Fatal("it never answered")
	}
	return last
}
