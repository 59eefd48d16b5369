package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"golang.org/x/term"
)

// maxPassword is more than any password may have.
const maxPassword = 4096

// readPassword reads a password: without echo and twice from a terminal, up to
// the end of the first line otherwise. "" asks for one to be made.
func readPassword(in io.Reader, prompt io.Writer, jid string) (string, error) {
	if f, ok := in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return askPassword(int(f.Fd()), prompt, jid)
	}
	b, err := io.ReadAll(io.LimitReader(in, maxPassword+1))
	if err != nil {
		return "", fmt.Errorf("the password can't be read from standard input: %w", err)
	}
	line, rest, _ := strings.Cut(strings.TrimRight(string(b), "\r\n"), "\n")
	switch {
	case len(b) > maxPassword:
		return "", errors.New("the password on standard input is too long")
	case rest != "":
		return "", errors.New("standard input has several lines, a password is one; for many accounts there is `weir user add --from -`")
	}
	return strings.TrimRight(line, "\r"), nil
}

func askPassword(fd int, prompt io.Writer, jid string) (string, error) {
	defer echoAfterInterrupt(fd)()
	ask := func(text string) (string, error) {
		fmt.Fprint(prompt, text)
		b, err := term.ReadPassword(fd)
		fmt.Fprintln(prompt)
		return string(b), err
	}
	first, err := ask("Password for " + jid + " (none: one is made): ")
	if err != nil || first == "" {
		return "", err
	}
	second, err := ask("The same again: ")
	if err == nil && first != second {
		err = errors.New("the two passwords are not the same")
	}
	return first, err
}

// echoAfterInterrupt sees that a Ctrl-C at the prompt leaves a terminal that
// shows what is typed. The function it returns ends that.
func echoAfterInterrupt(fd int) (end func()) {
	state, err := term.GetState(fd)
	if err != nil {
		return func() {}
	}
	signals, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, os.Interrupt)
	go func() {
		select {
		case <-signals:
			_ = term.Restore(fd, state)
			os.Exit(130)
		case <-done:
		}
	}()
	return func() { signal.Stop(signals); close(done) }
}
