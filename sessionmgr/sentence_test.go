package sessionmgr

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"weir/jid"
	"weir/storage"
)

// TestSentence holds what a process obeys that another left: the sentence for a device or
// for all, also one that can't be read, and none for another device; and that it
// writes nothing down itself once it has its sessions.
func TestSentence(t *testing.T) {
	juliet := jid.MustParse("juliet@verona.lit")
	none := func(*house) {}
	revoke := func(device string) func(*house) {
		return func(h *house) {
			why := Cause{Kicked, "its device was revoked"}
			if err := h.Revoke(context.Background(), Revocation{Account: juliet, Device: device, Cause: why}); err != nil {
				h.t.Error(err)
			}
		}
	}
	damaged := func(h *house) {
		var b storage.Batch
		h.sentences.Put(&b, juliet.String(), everyDevice, []byte("{"))
		if err := storage.Commit(context.Background(), h.store, &b); err != nil {
			h.t.Error(err)
		}
	}
	for name, x := range map[string]struct {
		leaves func(*house)
		left   int
	}{"none": {none, 1}, "its device": {revoke("phone"), 0}, "all": {revoke(""), 0}, "another device": {revoke("tablet"), 1}, "damaged": {damaged, 0}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t)
				c := h.bind("juliet@verona.lit/balcony")
				c.SetDevice(Device{ID: "phone"})
				c.enable()
				h.settle()
				if err := h.Manager.Stop(t.Context()); err != nil {
					t.Fatal(err)
				}
				x.leaves(newHouseOn(t, h.store))
				again := newHouseOn(t, h.store)
				if err := again.Restore(t.Context()); err != nil {
					t.Fatal(err)
				}
				if n := len(again.ByAccount(juliet)); n != x.left {
					t.Errorf("%d sessions, want %d", n, x.left)
				}
				revoke("")(again)
				synctest.Wait()
				if all, err := again.sentencesOf(t.Context(), juliet.String()); err != nil || len(all) != 0 {
					t.Errorf("sentences left: %v, %v", all, err)
				}
				if n := len(again.ByAccount(juliet)); n != 0 {
					t.Errorf("%d sessions after a revocation", n)
				}
			})
		})
	}
}

// TestExpiryIsTold holds that the end of a session that nobody resumed is in the log at
// the usual level, and other ends are not.
func TestExpiryIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		h := newHouse(t, func(o *Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
		h.Kick(h.bind("romeo@verona.lit/orchard").Session, Cause{Kicked, "x"}, nil)
		c := h.bind("juliet@verona.lit/balcony")
		c.enable()
		c.cut()
		h.Kick(c.Session, Cause{Expired, "not resumed"}, nil)
		synctest.Wait()
		if got := log.String(); strings.Count(got, "session ended") != 1 || !strings.Contains(got, "expired: not resumed") {
			t.Errorf("logged:\n%s", got)
		}
	})
}
