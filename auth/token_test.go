package auth

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/jid"
	"weir/storage"
)

var (
	someAgent  = UserAgent{ID: "d4565fa7-4d72-4749-b3d3-740edbf87770", Software: "AwesomeXMPP", Device: "Kiva's Phone"}
	otherAgent = UserAgent{ID: "11111111-2222-4333-8444-555555555555"}
	someAddr   = netip.MustParseAddr("192.0.2.1")
)

const none = "HT-SHA-256-NONE"

func someDevice() *device {
	at := time.Unix(1_700_000_000, 0).UTC()
	return &device{created: at, used: at, addr: someAddr, software: "x", name: "y",
		tokens: [2]*token{nil, {mechanism: 4, issued: at, expires: at.Add(time.Hour), count: 3}}}
}

// prove is the message of a client that has a token.
func prove(name, token string, binding []byte) []byte {
	m := hmac.New(sha256.New, []byte(token))
	m.Write(append([]byte("Initiator"), binding...))
	return append([]byte(name+"\x00"), m.Sum(nil)...)
}

// byPassword logs in by PLAIN and asks for a token.
func byPassword(t *testing.T, s *Service, agent UserAgent, mechanism string) Token {
	t.Helper()
	x, _, err := one(t, s, secured(), "PLAIN", "\x00juliet\x00"+password)
	if err != nil {
		t.Fatal(err)
	}
	given, err := x.Settle(t.Context(), Wish{Agent: agent, Addr: someAddr, Mechanism: mechanism})
	if err != nil {
		t.Fatal(err)
	}
	return given
}

// byToken logs in by token, the way c2s does.
func byToken(ctx context.Context, s *Service, ch Channel, mechanism string, use TokenUse, msg []byte, w Wish) (Token, error) {
	x, err := s.BeginToken(ch, mechanism, use)
	if err != nil {
		return Token{}, err
	}
	if _, _, err := x.Step(ctx, msg); err != nil {
		return Token{}, err
	}
	w.Agent.ID = use.Agent
	return x.Settle(ctx, w)
}

// uses logs in by a token of juliet's phone.
func uses(t *testing.T, s *Service, token string, use TokenUse) (Token, error) {
	t.Helper()
	use.Agent = someAgent.ID
	return byToken(t.Context(), s, secured(), none, use, prove("juliet", token, nil), Wish{Agent: someAgent, Addr: someAddr})
}

// older makes what is stored of the phone older by d.
func older(t *testing.T, s *Service, d time.Duration) {
	t.Helper()
	id := s.DeviceID(juliet(), someAgent.ID)
	dev, err := s.fetchDevice(t.Context(), juliet(), id)
	if err != nil || dev == nil {
		t.Fatal("no device", err)
	}
	dev.used = dev.used.Add(-d)
	for _, tok := range dev.tokens {
		if tok != nil {
			tok.issued, tok.expires = tok.issued.Add(-d), tok.expires.Add(-d)
		}
	}
	var b storage.Batch
	s.devices.Put(&b, juliet().String(), id, dev.encode())
	if err := s.commit(&b); err != nil {
		t.Fatal(err)
	}
}

// Both sides prove that they have the token, over each kind of binding that the
// connection has.
func TestTokenMechanisms(t *testing.T) {
	s, _ := newService(t, cheap())
	full, _ := handshake(t, tls.VersionTLS13, certificate(t, x509.ECDSAWithSHA256))
	legacy, _ := handshake(t, tls.VersionTLS12, certificate(t, x509.ECDSAWithSHA256))
	for _, tt := range []struct {
		ch   Channel
		want string
	}{
		{full, "HT-SHA-256-EXPR HT-SHA-256-ENDP HT-SHA-256-NONE"},
		{legacy, "HT-SHA-256-EXPR HT-SHA-256-UNIQ HT-SHA-256-ENDP HT-SHA-256-NONE"},
		{Channel{Domain: domain}, ""},
		{Channel{Domain: domain, AllowPlain: true}, none},
	} {
		names := s.TokenMechanisms(tt.ch)
		if strings.Join(names, " ") != tt.want {
			t.Errorf("offered: %v, want %s", names, tt.want)
		}
		for i, name := range names {
			x, err := s.Begin(secured(), "PLAIN")
			if err == nil {
				_, _, err = x.Step(t.Context(), []byte("\x00juliet\x00"+password))
			}
			if err != nil {
				t.Fatal(err)
			}
			x.channel = tt.ch // the token is asked for where it is used
			given, err := x.Settle(t.Context(), Wish{Agent: someAgent, Mechanism: name})
			if err != nil || given.Value == "" {
				t.Fatalf("%s: %v", name, err)
			}
			var binding []byte
			if kind := s.tokenMechanism(&tt.ch, name).binding; kind != "" {
				binding = s.binding(&tt.ch, kind)[0]
			}
			login := func(name string, msg []byte) ([]byte, error) {
				x, err := s.BeginToken(tt.ch, name, TokenUse{Agent: someAgent.ID})
				if err != nil {
					return nil, err
				}
				out, done, err := x.Step(t.Context(), msg)
				if done && x.Identity() != juliet() {
					t.Errorf("%s: logged in as %v", name, x.Identity())
				}
				return out, err
			}
			out, err := login(name, prove("juliet", given.Value, binding))
			m := hmac.New(sha256.New, []byte(given.Value))
			m.Write(append([]byte("Responder"), binding...))
			if err != nil || !bytes.Equal(out, m.Sum(nil)) {
				t.Errorf("%s: %x, %v", name, out, err)
			}
			_, err = login(name, prove("juliet", given.Value, []byte("another connection")))
			wantFailure(t, name, err, "not-authorized", true)
			other := names[(i+1)%len(names)]
			if other == name {
				continue
			}
			_, err = login(other, prove("juliet", given.Value, nil)) // XEP-0484 §3.4
			wantFailure(t, other+" with a token for "+name, err, "not-authorized", true)
		}
	}
}

// A token is one account's, one device's and one mechanism's.
func TestTokenOfAnother(t *testing.T) {
	s, _ := newService(t, cheap())
	if err := s.Create(t.Context(), jid.MustParse("romeo@"+domain), password); err != nil {
		t.Fatal(err)
	}
	given := byPassword(t, s, someAgent, none)
	byPassword(t, s, otherAgent, none)
	for name, tt := range map[string]struct {
		agent, msg string
	}{
		"another device":       {otherAgent.ID, string(prove("juliet", given.Value, nil))},
		"no device":            {"", string(prove("juliet", given.Value, nil))},
		"another account":      {someAgent.ID, string(prove("romeo", given.Value, nil))},
		"no account":           {someAgent.ID, string(prove("nobody", given.Value, nil))},
		"a name of nobody":     {someAgent.ID, string(prove("a@b", given.Value, nil))},
		"another token":        {someAgent.ID, string(prove("juliet", given.Value[1:], nil))},
		"the empty token":      {someAgent.ID, string(prove("juliet", "", nil))},
		"the hash of a token":  {someAgent.ID, "juliet\x00" + string(sha256Algorithm.sum([]byte(given.Value)))},
		"another host's token": {someAgent.ID, string(prove("juliet", s.tokenValue(new(token), juliet(), someAgent.ID, tokenMechanisms[3]), nil))},
	} {
		_, err := byToken(t.Context(), s, secured(), none, TokenUse{Agent: tt.agent}, []byte(tt.msg), Wish{})
		wantFailure(t, name, err, "not-authorized", true)
	}
	if _, err := uses(t, s, given.Value, TokenUse{}); err != nil {
		t.Error(err)
	}
	for _, w := range []Wish{{Mechanism: none}, {Agent: someAgent}, {Agent: someAgent, Mechanism: "PLAIN"}, {Agent: someAgent, Mechanism: "HT-SHA-256-UNIQ"}} {
		x, _, err := one(t, s, secured(), "PLAIN", "\x00juliet\x00"+password)
		if err != nil {
			t.Fatal(err)
		}
		if given, err := x.Settle(t.Context(), w); err != nil || given.Value != "" {
			t.Errorf("%+v got a token, %v", w, err)
		}
	}
}

// Whether there is an account or a device shows neither in what is said nor in the
// work that is done.
func TestTokenTellsNothing(t *testing.T) {
	s, st := newService(t, cheap())
	byPassword(t, s, someAgent, none)
	var first work
	for i, who := range []string{"juliet with a device", "juliet without", "nobody", "an impossible name"} {
		name, agent := "juliet", someAgent.ID
		switch i {
		case 1:
			agent = otherAgent.ID
		case 2:
			name = "nobody"
		case 3:
			name = "a@b/c"
		}
		_, _ = s.find(t.Context(), jid.MustParse("nobody@"+domain)) // both are in the cache
		before := s.workDone(st)
		_, err := byToken(t.Context(), s, secured(), none, TokenUse{Agent: agent}, prove(name, "guess", nil), Wish{})
		wantFailure(t, who, err, "not-authorized", true)
		done := s.workDone(st).since(before)
		if i == 0 {
			first = done
		}
		if done != first || done.derivations != 0 || done.gets != 1 {
			t.Errorf("%s: %+v, the first %+v", who, done, first)
		}
	}
}

// A login by token derives no keys, and waits for the store only where something
// has to be durable.
func TestTokenCost(t *testing.T) {
	s, st := newService(t, cheap())
	given := byPassword(t, s, someAgent, none)
	commits := func(use TokenUse) int {
		t.Helper()
		before, derived := st.commits, s.pool.done.Load()
		if _, err := uses(t, s, given.Value, use); err != nil {
			t.Fatal(err)
		}
		if s.pool.done.Load() != derived {
			t.Error("keys were derived")
		}
		return st.commits - before
	}
	if n := commits(TokenUse{}); n != 1 { // it takes the place of the one before
		t.Errorf("the first use: %d commits", n)
	}
	if n := commits(TokenUse{}); n != 0 {
		t.Errorf("the second use: %d commits", n)
	}
	if n := commits(TokenUse{Count: 7, Counted: true}); n != 1 {
		t.Errorf("a use that counts: %d commits", n)
	}
	older(t, s, tokenAge)
	if n := commits(TokenUse{}); n != 1 {
		t.Errorf("a use that brings another token: %d commits", n)
	}
	if n := commits(TokenUse{}); n != 0 { // the same token again
		t.Errorf("a use that brings it again: %d commits", n)
	}
}

// Two tokens are good while one takes the place of the other (XEP-0484 §3.5).
func TestTokenRotation(t *testing.T) {
	s, _ := newService(t, cheap())
	first := byPassword(t, s, someAgent, none)
	if next, err := uses(t, s, first.Value, TokenUse{}); err != nil || next.Value != "" {
		t.Fatalf("a fresh token brings another: %v", err)
	}
	older(t, s, tokenAge)
	second, err := uses(t, s, first.Value, TokenUse{})
	if err != nil || second.Value == "" || second.Value == first.Value || !second.Expires.After(first.Expires) {
		t.Fatalf("a token of a day brings none: %v", err)
	}
	again, err := uses(t, s, first.Value, TokenUse{}) // the answer was lost
	if err != nil || again.Value != second.Value {
		t.Errorf("asked again: %v", err)
	}
	if _, err := uses(t, s, second.Value, TokenUse{}); err != nil {
		t.Fatal(err)
	}
	_, err = uses(t, s, first.Value, TokenUse{})
	wantFailure(t, "the first after the second", err, "not-authorized", true)
	// One that was never used ends where another is given.
	third := byPassword(t, s, someAgent, none)
	older(t, s, tokenAge)
	fourth := byPassword(t, s, someAgent, none)
	_, err = uses(t, s, third.Value, TokenUse{})
	wantFailure(t, "one that was never used", err, "not-authorized", true)
	for _, tok := range []Token{second, fourth} {
		if _, err := uses(t, s, tok.Value, TokenUse{}); err != nil {
			t.Error(err)
		}
	}
}

func TestTokenExpires(t *testing.T) {
	s, _ := newService(t, cheap())
	given := byPassword(t, s, someAgent, none)
	older(t, s, s.opts.TokenLife+time.Second)
	_, err := uses(t, s, given.Value, TokenUse{})
	wantFailure(t, "who has it", err, "credentials-expired", false)
	_, err = uses(t, s, "guess", TokenUse{})
	wantFailure(t, "who guesses", err, "not-authorized", true)
}

// Tokens of a life shorter than two days are replaced after half of it; one that
// was never used isn't handed out again where it would end sooner than that.
func TestShortLife(t *testing.T) {
	o := cheap()
	o.TokenLife = time.Hour
	s, _ := newService(t, o)
	first := byPassword(t, s, someAgent, none)
	older(t, s, 29*time.Minute)
	if again := byPassword(t, s, someAgent, none); again.Value != first.Value {
		t.Error("a young one is not handed out again")
	}
	if next, err := uses(t, s, first.Value, TokenUse{}); err != nil || next.Value != "" {
		t.Errorf("a young one brings another: %v", err)
	}
	older(t, s, time.Minute)
	next, err := uses(t, s, first.Value, TokenUse{})
	if err != nil || next.Value == "" {
		t.Fatalf("half of its life brings none: %v", err)
	}
	older(t, s, 30*time.Minute)
	if last := byPassword(t, s, someAgent, none); last.Value == next.Value {
		t.Error("one that ends soon is handed out again")
	}
}

// Counts go up, also where several connections come at once.
func TestTokenCounts(t *testing.T) {
	s, _ := newService(t, cheap())
	given := byPassword(t, s, someAgent, none)
	for _, tt := range []struct {
		count uint32
		right bool
	}{{0, true}, {0, false}, {1, true}, {5, true}, {4, false}, {5, false}, {6, true}} {
		_, err := uses(t, s, given.Value, TokenUse{Count: tt.count, Counted: true})
		if (err == nil) != tt.right {
			t.Errorf("count %d: %v", tt.count, err)
		}
		if err != nil {
			wantFailure(t, fmt.Sprint("count ", tt.count), err, "not-authorized", true)
		}
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	right := 0
	for range 20 {
		wg.Go(func() {
			_, err := byToken(t.Context(), s, secured(), none, TokenUse{Agent: someAgent.ID, Count: 100, Counted: true}, prove("juliet", given.Value, nil), Wish{})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				right++
			}
		})
	}
	wg.Wait()
	if right != 1 {
		t.Errorf("one message was good %d times", right)
	}
}

// A token that its client gives back is good for nothing (XEP-0484 §3.6), unless it
// asks for another in the same breath.
func TestTokenInvalidated(t *testing.T) {
	s, _ := newService(t, cheap())
	given := byPassword(t, s, someAgent, none)
	older(t, s, tokenAge) // it would bring another
	next, err := uses(t, s, given.Value, TokenUse{Invalidate: true})
	if err != nil || next.Value != "" {
		t.Errorf("%v", err)
	}
	_, err = uses(t, s, given.Value, TokenUse{})
	wantFailure(t, "given back", err, "not-authorized", true)
	if all, err := s.Devices(t.Context(), juliet()); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
	given = byPassword(t, s, someAgent, none)
	next, err = byToken(t.Context(), s, secured(), none, TokenUse{Agent: someAgent.ID, Invalidate: true}, prove("juliet", given.Value, nil), Wish{Mechanism: none})
	if err != nil || next.Value == "" {
		t.Fatal(err)
	}
	if _, err := uses(t, s, next.Value, TokenUse{}); err != nil {
		t.Error(err)
	}
}

// What happens to the account between the proof and the outcome counts.
func TestTokenOfChangedAccount(t *testing.T) {
	for name, change := range map[string]func(s *Service) error{
		"password": func(s *Service) error { return s.SetPassword(t.Context(), juliet(), "another one, please") },
		"lock":     func(s *Service) error { return s.SetDisabled(t.Context(), juliet(), true) },
		"deletion": func(s *Service) error { return s.Delete(t.Context(), juliet()) },
		"revoked":  func(s *Service) error { _, err := s.RevokeDevice(t.Context(), juliet(), ""); return err },
	} {
		s, _ := newService(t, cheap())
		given := byPassword(t, s, someAgent, none)
		x, err := s.BeginToken(secured(), none, TokenUse{Agent: someAgent.ID})
		if err == nil {
			_, _, err = x.Step(t.Context(), prove("juliet", given.Value, nil))
		}
		if err != nil {
			t.Fatal(err)
		}
		p, _, err := one(t, s, secured(), "PLAIN", "\x00juliet\x00"+password)
		if err != nil {
			t.Fatal(err)
		}
		if err := change(s); err != nil {
			t.Fatal(name, err)
		}
		_, err = x.Settle(t.Context(), Wish{Agent: someAgent})
		wantFailure(t, name, err, "not-authorized", true)
		if _, err = p.Settle(t.Context(), Wish{Agent: someAgent, Mechanism: none}); name != "revoked" {
			wantFailure(t, name, err, "not-authorized", true)
		}
	}
}

// A store that fails is never a wrong token, and keeps nobody out who has a
// password.
func TestTokenStoreFails(t *testing.T) {
	s, st := newService(t, cheap())
	given := byPassword(t, s, someAgent, none)
	st.set(errors.New("disk on fire"), nil)
	_, err := uses(t, s, given.Value, TokenUse{})
	wantFailure(t, "by token", err, "temporary-auth-failure", false)
	if tok := byPassword(t, s, someAgent, none); tok.Value != "" {
		t.Error("a token that nobody knows")
	}
	st.set(nil, nil)
	if _, err := uses(t, s, given.Value, TokenUse{}); err != nil {
		t.Error(err)
	}
	if fmt.Sprintf("%v %+v %s %#v", given, given, given, given) != "*** *** *** ***" {
		t.Error("a token prints")
	}
}
