package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"weir/admin"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// importUsers makes the accounts of a file.
func importUsers(ctx context.Context, cmd *cobra.Command, t *target, from string, asJSON bool) error {
	list, lines := cmd.InOrStdin(), -1
	if from != "-" {
		f, err := os.Open(from)
		if err != nil {
			return fmt.Errorf("the list of accounts can't be read: %w", err)
		}
		defer f.Close()
		if lines, err = countLines(f); err != nil {
			return fmt.Errorf("the list of accounts can't be read: %w", err)
		}
		list = f
	}
	errs := cmd.ErrOrStderr()
	progress, done := importProgress(errs, lines)
	result, err := t.Import(ctx, list, progress)
	done()
	if err != nil {
		return err
	}
	if asJSON {
		err = writeJSON(cmd.OutOrStdout(), result)
	} else {
		err = tellImport(cmd.OutOrStdout(), errs, result)
	}
	switch {
	case err != nil:
		return err
	case result.Error != "":
		return errors.New("the import stopped: " + result.Error)
	case result.Refused > 0:
		return exitCode(1)
	}
	return nil
}

func tellImport(out, errs io.Writer, r admin.Result) error {
	for _, l := range r.Lines {
		text := l.Error
		if l.JID != "" && !strings.HasPrefix(text, l.JID) {
			text = l.JID + ": " + text
		}
		fmt.Fprintf(errs, "line %d: %s\n", l.Line, printable(text))
	}
	if more := r.Refused - len(r.Lines); more > 0 {
		fmt.Fprintf(errs, "and %s more\n", plural(more, "refused line"))
	}
	text := plural(r.Created, "account") + " added"
	if r.Refused > 0 {
		text += ", " + plural(r.Refused, "line") + " refused"
	}
	_, err := fmt.Fprintln(out, text)
	return err
}

// countLines counts the lines of a file and goes back to its beginning. It
// returns -1 for what can't be read twice.
func countLines(f *os.File) (int, error) {
	if fi, err := f.Stat(); err != nil || !fi.Mode().IsRegular() {
		return -1, err
	}
	n, buf, last := 0, make([]byte, 64<<10), byte('\n')
	for {
		k, err := f.Read(buf)
		if k > 0 {
			n, last = n+bytes.Count(buf[:k], []byte{'\n'}), buf[k-1]
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, err
		}
	}
	if last != '\n' {
		n++
	}
	_, err := f.Seek(0, io.SeekStart)
	return n, err
}

// importProgress shows how far an import is: a bar where w is a terminal, nothing
// elsewhere.
func importProgress(w io.Writer, lines int) (progress func(int), done func()) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil, func() {}
	}
	bar := progressbar.NewOptions(lines, progressbar.OptionSetWriter(w), progressbar.OptionSetDescription("adding accounts"),
		progressbar.OptionShowCount(), progressbar.OptionClearOnFinish(), progressbar.OptionSetPredictTime(lines > 0))
	return func(n int) { _ = bar.Set(n) }, func() { _ = bar.Finish() }
}
