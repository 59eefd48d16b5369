package servicecontact

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestForm(t *testing.T) {
	form, err := Form(Options{Security: []string{"mailto:security@example.org"}, Abuse: []string{"xmpp:abuse@example.org", "https://example.org/abuse"}})
	if err != nil || len(form.Fields) != 3 || form.Value("FORM_TYPE") != FormType {
		t.Fatalf("%+v, %v", form, err)
	}
	if got := form.Values("abuse-addresses"); !slices.Equal(got, []string{"xmpp:abuse@example.org", "https://example.org/abuse"}) {
		t.Errorf("abuse: %q", got)
	}
	if form, err := Form(Options{}); form != nil || err != nil {
		t.Errorf("without an address: %+v, %v", form, err)
	}
	for _, bad := range []string{"", "admin@example.org", "mailto:", "https://", "://x", "a b", "\x00:x"} {
		for i, o := range []Options{{Abuse: []string{bad}}, {Support: []string{"mailto:a@b", bad}}} {
			if _, err := Form(o); err == nil || !strings.Contains(err.Error(), "is no URI") {
				t.Errorf("%d: %q: %v", i, bad, err)
			}
		}
	}
}

func Example() {
	form, err := Form(Options{Admin: []string{"xmpp:admin@example.org"}})
	fmt.Println(form.Value("admin-addresses"), err)
	// Output: xmpp:admin@example.org <nil>
}
