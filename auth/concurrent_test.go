package auth

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"weir/jid"

	"github.com/xdg-go/scram"
)

// Of many who make the same account at once, one does.
func TestCreateRace(t *testing.T) {
	s, _ := newService(t, cheap())
	j := jid.MustParse("romeo@" + domain)
	var wg sync.WaitGroup
	results := make(chan error, 8)
	for i := range cap(results) {
		wg.Go(func() { results <- s.Create(t.Context(), j, fmt.Sprintf("password %d", i)) })
	}
	wg.Wait()
	made := 0
	for range cap(results) {
		if err := <-results; err == nil {
			made++
		} else if !errors.Is(err, ErrExists) {
			t.Error(err)
		}
	}
	if made != 1 {
		t.Errorf("made %d times", made)
	}
}

// After SetPassword returned, nobody gets in with the old password, however many
// are logging in meanwhile and fill the cache.
func TestLoginsDuringChange(t *testing.T) {
	s, _ := newService(t, cheap())
	var wg sync.WaitGroup
	stop := make(chan struct{})
	c, err := scram.SHA256.NewClient("juliet", password, "") // derives once
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					conv := c.NewConversation()
					_, f := login(t, s, secured(), "SCRAM-SHA-256", func(in []byte) ([]byte, error) {
						out, err := conv.Step(string(in))
						return []byte(out), err
					})
					if f != nil && f.Condition != "not-authorized" {
						t.Error(f)
					}
				}
			}
		})
	}
	old := password
	for i := range 5 {
		now := fmt.Sprintf("password %d", i)
		if err := s.SetPassword(t.Context(), juliet(), now); err != nil {
			t.Error(err)
		}
		_, _, err := one(t, s, secured(), "PLAIN", "\x00juliet\x00"+old)
		wantFailure(t, "old password", err, "not-authorized", true)
		if _, _, err := one(t, s, secured(), "PLAIN", "\x00juliet\x00"+now); err != nil {
			t.Error(err)
		}
		old = now
	}
	close(stop)
	wg.Wait()
}
