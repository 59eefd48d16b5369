package entitytime_test

import (
	"fmt"
	"regexp"
	"testing"
	"time"

	"weir/modules/entitytime"
	"weir/sessionmgr/sessiontest"
)

const ask = "<iq type='get' id='1' to='verona.lit'><time xmlns='urn:xmpp:time'/></iq>"

func Example() {
	h := sessiontest.New()
	defer h.Close()
	entitytime.New(h.Manager)
	answer := h.Online("juliet@verona.lit/balcony").Ask(ask)
	fmt.Println(regexp.MustCompile(`<tzo>[^<]*</tzo><utc>[^<]*</utc>`).MatchString(answer))
	// Output:
	// true
}

func TestTimeIsNowAndInTheFormOfTheProfile(t *testing.T) {
	h := sessiontest.New()
	defer h.Close()
	entitytime.New(h.Manager)
	answer := h.Online("juliet@verona.lit/balcony").Ask(ask)
	m := regexp.MustCompile(`<tzo>(Z|[+-]\d\d:\d\d)</tzo><utc>([^<]+)</utc>`).FindStringSubmatch(answer)
	if m == nil {
		t.Fatalf("no time in %s", answer)
	}
	at, err := time.Parse("2006-01-02T15:04:05.999Z", m[2]) // XEP-0082 §3
	if err != nil {
		t.Fatal(err)
	}
	if d := time.Since(at).Abs(); d > time.Minute {
		t.Errorf("the time is off by %v", d)
	}
}
