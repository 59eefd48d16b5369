package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"weir/config"

	"github.com/spf13/cobra"
)

// checkCommand is "weir check".
func checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Look for mistakes: configuration, certificates, ports, names, data folder",
		Long: `Look for mistakes before clients find them. One line is printed for each thing
that was looked at, with ok, warn or fail; the exit code is 1 if one failed.

The configuration is that which "weir serve" with the same flags would have: each
mistake is told with its line, column and a hint. DNS names are looked up; what is
missing there is a warning, as the server itself runs without.`,
		Example: `  weir check --config /etc/weir.toml
  weir check --data /var/lib/weir --domain example.org
  weir check store --data /var/lib/weir`,
		Args: noArguments,
	}
	settings := settingsOf(cmd, true)
	asJSON := cmd.Flags().Bool("json", false, "answer in JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c := &checker{names: net.DefaultResolver, now: time.Now()}
		c.all(cmd.Context(), settings.source())
		return c.tell(cmd.OutOrStdout(), *asJSON)
	}
	cmd.AddCommand(checkStoreCommand())
	return cmd
}

// Outcomes of looking at one thing.
const (
	checkOK   = "ok"
	checkWarn = "warn"
	checkFail = "fail"
)

// finding is what was found at one thing.
type finding struct {
	Outcome string `json:"outcome"`
	Subject string `json:"subject"`
	Text    string `json:"text"`
	Hint    string `json:"hint,omitempty"`
}

// resolver is what is asked about DNS.
type resolver interface {
	LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error)
	LookupHost(ctx context.Context, host string) ([]string, error)
}

// checker collects findings.
type checker struct {
	names resolver
	now   time.Time
	found []finding
}

func (c *checker) add(outcome, subject, hint, format string, args ...any) {
	c.found = append(c.found, finding{outcome, subject, fmt.Sprintf(format, args...), hint})
}

// all looks at everything that the configuration leads to.
func (c *checker) all(ctx context.Context, src config.Source) {
	cfg, err := config.Load(src)
	var mistakes config.Mistakes
	switch {
	case errors.As(err, &mistakes):
		for _, m := range mistakes {
			c.add(checkFail, m.Where(), m.Hint, "%s", m.Text)
		}
		c.add(checkWarn, "everything else", "", "not looked at before the configuration is right")
		return
	case err != nil:
		c.add(checkFail, "configuration", "", "%v", err)
		return
	case src.File == "":
		c.add(checkOK, "configuration", "", "no file: flags, environment and defaults")
	default:
		c.add(checkOK, "configuration", "", "%s", src.File)
	}
	c.data(cfg.Data)
	c.certificates(cfg)
	c.secrets(cfg)
	c.sessionLog(cfg.SessionLog.File)
	c.ports(ctx, cfg)
	for _, d := range cfg.Domains {
		c.domain(ctx, cfg, d)
	}
}

// tell prints what was found.
func (c *checker) tell(w io.Writer, asJSON bool) error {
	failed := false
	var rows [][]string
	for _, f := range c.found {
		failed = failed || f.Outcome == checkFail
		rows = append(rows, []string{f.Outcome, f.Subject, f.Text})
		if f.Hint != "" {
			rows = append(rows, []string{"", "", "→ " + f.Hint})
		}
	}
	var err error
	if asJSON {
		err = writeJSON(w, c.found)
	} else {
		err = table(w, nil, rows)
	}
	if err == nil && failed {
		err = exitCode(1)
	}
	return err
}
