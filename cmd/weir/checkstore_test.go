package main

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"weir"
	"weir/config"
	"weir/storage"
)

// TestCheckStoreReadsRecords holds that records which come back as they were
// written, and which nobody can read, are named with their account.
func TestCheckStoreReadsRecords(t *testing.T) {
	cfg := config.Default()
	cfg.Data = t.TempDir()
	st, err := weir.OpenStore(cfg, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	var b storage.Batch
	log, sessions := storage.NewLog(st, "log"), storage.NewMap(st, "session")
	log.Append(&b, "juliet@localhost", 254, []byte("\x01\x00\x00\x00\x00\x00\x00\x00\x00<message to='a@b'/>"))
	log.Append(&b, "juliet@localhost", 255, []byte("\x02 nonsense"))
	sessions.Put(&b, "romeo@localhost", "\x00\x00\x00\x00\x00\x00\x00\x07n", []byte{1, 2})
	storage.NewKeyVal(st, "cursor").Set(&b, "romeo@localhost", []byte{77})
	storage.NewKeyVal(st, "archive-prefs").Set(&b, "nurse@localhost", []byte(`{"default":"perhaps"}`))
	storage.NewMap(st, "auth.devices").Put(&b, "juliet@localhost", "k3fw7hq2mzt5bnvd", []byte("\x01 nonsense"))
	storage.NewMap(st, "auth.accounts").Put(&b, "localhost", "juliet", []byte{9})
	storage.NewKeyVal(st, "auth.server").Set(&b, "server", []byte{3, 4})
	storage.NewKeyVal(st, "blocking").Set(&b, "nurse@localhost", []byte("\x01\x05a@b"))
	storage.NewKeyVal(st, "vcard").Set(&b, "nurse@localhost", []byte("\x01\x05"))
	storage.NewMap(st, "private").Put(&b, "nurse@localhost", "urn:x a", []byte("<b xmlns='urn:x'/>"))
	storage.NewMap(st, "auth.accounts").Put(&b, "localhost", "nurse", []byte{99})
	storage.NewKeyVal(st, "another").Set(&b, "nurse@localhost", nil)
	if err := errors.Join(storage.Commit(t.Context(), st, &b), st.Close()); err != nil {
		t.Fatal(err)
	}
	cmd, out := root(), new(bytes.Buffer)
	cmd.SetArgs([]string{"check", "store", "--data", cfg.Data})
	cmd.SetOut(out)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	if err := cmd.ExecuteContext(t.Context()); err == nil {
		t.Error("it passed")
	}
	for _, want := range []string{
		"fail  record 00000000000000ff of juliet@localhost in table log: sessionmgr: log record of 10 bytes",
		"fail  record 0000000000000007 numbers of romeo@localhost in table session: sessionmgr: the numbers can't be read: 2 bytes, 01 02",
		"fail  record of romeo@localhost in table cursor: sessionmgr: the cursor can't be read: 1 bytes, 4d",
		`fail  record of nurse@localhost in table archive-prefs: sessionmgr: archive default "perhaps"`,
		`fail  record "k3fw7hq2mzt5bnvd" of juliet@localhost in table auth.devices: auth: damaged device record`,
		`fail  record "juliet" of localhost in table auth.accounts: auth: damaged account record: version 9, this program knows 1`,
		"fail  record of server in table auth.server: auth: the record of the server's secrets is damaged or of a newer version",
		`fail  record "nurse" of localhost in table auth.accounts: auth: damaged account record: version 99, this program knows 1`,
		"fail  record of nurse@localhost in table blocking: blocking: damaged block list: it ends in an address",
		"of nurse@localhost in table vcard: vcard: damaged card: its hash",
		`of nurse@localhost in table private: privatexml: the element isn't "urn:x a"`,
		"is whole, but 11 records in it can't be read (format",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}
