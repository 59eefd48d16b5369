package contacts

import (
	"errors"
	"strings"
	"testing"

	"weir/jid"
	"weir/roster"
	"weir/storage"
)

// TestBefriend: both are each other's contacts, whatever there was, and see each other; nobody
// is asked.
func TestBefriend(t *testing.T) {
	a, b := jid.MustParse("juliet@example.com"), jid.MustParse("romeo@example.com")
	for name, before := range map[string]string{
		"nothing": "", "asked": "<presence to='romeo@example.com' type='subscribe'/>", "approved": "<presence to='romeo@example.com' type='subscribed'/>",
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, roster.Options{}, Options{})
			juliet, romeo := h.login("juliet@example.com/balcony"), h.login("romeo@example.com/orchard")
			if before != "" {
				juliet.send(before)
			}
			h.settle()
			juliet.got()
			romeo.got()
			for range 2 { // the second changes nothing
				if err := h.module.Befriend(t.Context(), a, b); err != nil {
					t.Fatal(err)
				}
				h.settle()
				h.state("juliet@example.com", "romeo@example.com", roster.Both, roster.Both)
			}
			for _, c := range []*client{juliet, romeo} {
				all := strings.Join(c.got(), "\n")
				if strings.Contains(all, "type='subscribe'") || !strings.Contains(all, "subscription='both'") || !strings.Contains(all, "<presence from=") {
					t.Errorf("%s got\n%s", c.JID(), all)
				}
			}
		})
	}
	h := newHouse(t, roster.Options{}, Options{})
	for _, c := range []string{"nobody@example.com", "juliet@example.com", "x@elsewhere.example", "example.com"} {
		if err := h.module.Befriend(t.Context(), a, jid.MustParse(c)); err == nil {
			t.Errorf("%s is no error", c)
		}
	}
	h.store.set(storage.ErrFull, nil)
	if err := h.module.Befriend(t.Context(), a, b); !errors.Is(err, storage.ErrFull) {
		t.Errorf("a full disk: %v", err)
	}
}

// TestApprovalEndsWithTheAccount: who gets the name of a deleted account is approved by
// nobody.
func TestApprovalEndsWithTheAccount(t *testing.T) {
	h := newHouse(t, roster.Options{}, Options{})
	juliet := h.login("juliet@example.com/balcony")
	a, b := jid.MustParse("juliet@example.com"), jid.MustParse("romeo@example.com")
	if err := h.module.Befriend(t.Context(), a, b); err != nil {
		t.Fatal(err)
	}
	h.settle()
	if !h.shown("juliet@example.com", "romeo@example.com").Approved {
		t.Fatal("not approved in the first place")
	}
	juliet.got()
	if err := h.module.AccountDeleted(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	h.settle()
	if h.shown("juliet@example.com", "romeo@example.com").Approved {
		t.Error("still approved")
	}
	if all := juliet.got(); len(all) == 0 || strings.Contains(all[len(all)-1], "approved") {
		t.Errorf("juliet was told %v", all)
	}
}
