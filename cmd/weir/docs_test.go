package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestCommandsInDocs holds that every weir command in the texts for admins is
// one that there is, with flags that it has.
func TestCommandsInDocs(t *testing.T) {
	n := 0
	for _, file := range []string{"../../docs/admin.md", "../../docs/policies.md", "../../docs/weir.service", "../../README.md"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile("(?m)^(?:\\$ |ExecStart=/usr/local/bin/|go run \\./cmd/)?weir ([a-z][^\n#<>|]*)").FindAllStringSubmatch(string(text), -1) {
			if strings.HasPrefix(m[0], "weir is") {
				continue
			}
			n++
			if err := known(m[1]); err != nil {
				t.Errorf("%s: weir %s: %v", file, m[1], err)
			}
		}
	}
	if n < 15 {
		t.Errorf("only %d commands found", n)
	}
	if err := known("serve --nonsense"); err == nil {
		t.Error("this test finds nothing")
	}
}

// known reports what is wrong with a command line.
func known(line string) error {
	args := strings.Fields(regexp.MustCompile(`'[^']*'`).ReplaceAllString(line, "text"))
	cmd, rest, err := root().Find(args)
	if err != nil {
		return err
	}
	if cmd.HasSubCommands() && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
		return runGroup(cmd, rest)
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	if cmd.Args == nil {
		return nil
	}
	return cmd.Args(cmd, cmd.Flags().Args())
}
