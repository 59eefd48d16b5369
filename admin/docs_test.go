package admin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"weir"
	"weir/admin"
	"weir/config"
)

const controlDoc = "../docs/control.md"

// TestExamplesOfControl runs every example of docs/control.md with sh and curl,
// and compares the shape of what comes with what the text shows.
func TestExamplesOfControl(t *testing.T) {
	text, err := os.ReadFile(controlDoc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("curl"); err != nil {
		t.Fatal("the examples need curl: install it")
	}
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```\n\n```json\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) != 34 {
		t.Fatalf("%d examples, want one for each of 34 requests", len(blocks))
	}
	dir := folder(t)
	cfg := settings(dir + "/weir-data")
	cfg.Domains = cfg.Domains[:1]
	cfg.Invitations.Enabled, cfg.Offers.Enabled = true, true
	s, c := start(t, cfg, func(s *weir.Server) {
		s.Load = func() (config.Config, error) {
			cfg.Stream.IdleTimeout, cfg.Roster.MaxItems = time.Hour, 9
			return cfg, nil
		}
		s.OnStop = func(drain time.Duration) {
			go func() {
				ctx, cancel := context.WithTimeout(context.Background(), drain)
				defer cancel()
				s.Drain(ctx)
				_ = s.Stop(context.Background())
			}()
		}
	})
	add(t, c, "juliet@localhost")
	juliet := login(t, s, "juliet", "balcony")
	if err := juliet.Send("<message to='juliet@localhost/balcony' type='chat' id='m1'><body>hark</body></message>"); err != nil {
		t.Fatal(err)
	}
	if err := juliet.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	withToken(t, s, "juliet", "Gajim", "laptop")
	for _, b := range blocks {
		cmd := exec.Command("sh", "-ec", b[1])
		cmd.Dir = dir
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("%s%v\n%s%s", b[1], err, out, &errs)
			continue
		}
		if err := sameShape(parse(t, b[2]), parse(t, string(out))); err != nil {
			t.Errorf("%s%v; it answered\n%s", b[1], err, out)
		}
	}
}

// parse reads JSON, or one line of an object.
func parse(t *testing.T, text string) any {
	t.Helper()
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, `"`) {
		text = "{" + strings.TrimSuffix(text, ",") + "}"
	}
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return v
}

// sameShape reports a difference in names and types. What depends on the server
// (names of listeners, times) may differ in its value; texts that tell what
// happened may not.
func sameShape(want, got any) error {
	if reflect.TypeOf(want) != reflect.TypeOf(got) {
		return fmt.Errorf("want %v, got %v", want, got)
	}
	switch want := want.(type) {
	case map[string]any:
		got := got.(map[string]any)
		for k, v := range got {
			w, ok := want[k]
			switch {
			case k == "listeners":
			case !ok:
				return fmt.Errorf("%q isn't told in the text", k)
			case (k == "jid" || k == "error" || k == "cause" || k == "state" || k == "disabled" || k == "line") && v != w:
				return fmt.Errorf("%q is %v, the text says %v", k, v, w)
			default:
				if err := sameShape(w, v); err != nil {
					return fmt.Errorf("%s: %w", k, err)
				}
			}
		}
		for k := range want {
			if _, ok := got[k]; !ok {
				return fmt.Errorf("no %q", k)
			}
		}
	case []any:
		if len(want) != len(got.([]any)) {
			return fmt.Errorf("%d elements, the text shows %d", len(got.([]any)), len(want))
		}
		for i := range want {
			if err := sameShape(want[i], got.([]any)[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// TestAllRequestsAreTold holds that docs/control.md tells of every request there
// is, and of none that there isn't.
func TestAllRequestsAreTold(t *testing.T) {
	text, err := os.ReadFile(controlDoc)
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	for _, m := range regexp.MustCompile("`((?:GET|PUT|POST|DELETE) /v1/[^`]*)`").FindAllStringSubmatch(string(text), -1) {
		told[m[1]] = true
	}
	for _, p := range admin.Requests() {
		if !told[p] {
			t.Errorf("docs/control.md doesn't tell of %s", p)
		}
		delete(told, p)
	}
	for p := range told {
		t.Errorf("docs/control.md tells of %s, which there isn't", p)
	}
}
