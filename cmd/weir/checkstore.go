package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"

	"weir"
	"weir/sessionmgr"
	"weir/storage"
	"weir/storage/pebble"

	"github.com/spf13/cobra"
)

// checkStoreCommand is "weir check store".
func checkStoreCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "store",
		Short: "Read the whole store and verify its checksums",
		Long: `Read everything in the store while no server runs, verify all checksums, count the
records, and look whether accounts, devices, messages, sessions and what else belongs
to them can be read. Nothing is changed. The exit code is 1 if something is damaged or
can't be read.`,
		Example: "  weir check store --data /var/lib/weir",
		Args:    noArguments,
	}
	settings := settingsOf(cmd, false)
	asJSON := cmd.Flags().Bool("json", false, "answer in JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := settings.load()
		if err != nil {
			return err
		}
		o := cfg.Storage
		o.Dir = filepath.Join(cfg.Data, "store")
		r, err := pebble.CheckRecords(cmd.Context(), o, readable)
		switch {
		case errors.Is(err, storage.ErrLocked):
			return fmt.Errorf("the store in %s is in use: stop the server first (`weir status --data %s`)", o.Dir, cfg.Data)
		case err != nil && len(r.Damage) == 0:
			return err
		}
		if *asJSON {
			err = writeJSON(cmd.OutOrStdout(), storeJSON(r))
		} else {
			err = showStore(cmd.OutOrStdout(), o.Dir, r)
		}
		if err == nil && len(r.Damage)+len(r.Unreadable) > 0 {
			err = exitCode(1)
		}
		return err
	}
	return cmd
}

// readable says what is wrong with a record, naming it and its account.
func readable(k storage.Key, value []byte) error {
	err := weir.CheckRecord(k, value)
	if err == nil {
		return nil
	}
	what := "record"
	if k.Kind != storage.KindKeyVal {
		what += " " + sessionmgr.ItemName(k.Table, k.Item)
	}
	return fmt.Errorf("%s of %s in table %s: %w", what, k.Account, k.Table, err)
}

// storeReport is a pebble.Report for programs.
type storeReport struct {
	Format     int              `json:"format"`
	Files      int              `json:"files"`
	Tables     []map[string]any `json:"tables"`
	Damage     []string         `json:"damage"`
	Unreadable []string         `json:"unreadable"`
	Notes      []string         `json:"notes"`
}

func storeJSON(r pebble.Report) storeReport {
	out := storeReport{Format: r.Format, Files: r.Files, Tables: []map[string]any{}, Damage: append([]string{}, r.Damage...), Unreadable: append([]string{}, r.Unreadable...), Notes: append([]string{}, r.Notes...)}
	for _, t := range r.Tables {
		out.Tables = append(out.Tables, map[string]any{"name": t.Name, "kind": string(t.Kind), "accounts": t.Accounts, "records": t.Records, "bytes": t.Bytes})
	}
	return out
}

func showStore(w io.Writer, dir string, r pebble.Report) error {
	var rows [][]string
	for _, t := range r.Tables {
		rows = append(rows, []string{t.Name, strconv.Itoa(t.Accounts), strconv.Itoa(t.Records), strconv.FormatInt(t.Bytes, 10)})
	}
	if len(rows) > 0 {
		if err := table(w, []string{"TABLE", "ACCOUNTS", "RECORDS", "BYTES"}, rows); err != nil {
			return err
		}
	}
	for _, d := range append(r.Damage[:len(r.Damage):len(r.Damage)], r.Unreadable...) {
		if _, err := fmt.Fprintf(w, "fail  %s\n", printable(d)); err != nil {
			return err
		}
	}
	for _, n := range r.Notes {
		if _, err := fmt.Fprintf(w, "note  %s\n", printable(n)); err != nil {
			return err
		}
	}
	outcome := "ok    " + dir + " is whole"
	switch n := len(r.Damage); {
	case n == 0 && len(r.Unreadable) > 0:
		outcome = fmt.Sprintf("fail  %s is whole, but %s in it can't be read", dir, plural(len(r.Unreadable), "record"))
	case n > 0:
		outcome = fmt.Sprintf("fail  %s is damaged in %s: restore it from a backup", dir, plural(n, "place"))
	}
	_, err := fmt.Fprintf(w, "%s (format %d, %s with checksums)\n", outcome, r.Format, plural(r.Files, "file"))
	return err
}
