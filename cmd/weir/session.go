package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"weir/sessionmgr"

	"github.com/spf13/cobra"
)

// sessionCommand is "weir session".
func sessionCommand() *cobra.Command {
	return group("session", "See and end sessions", `A session is who a client is: an account, a resource, a presence. These commands
ask the server that runs on the data folder.`,
		`  weir session list
  weir session show juliet@localhost/balcony
  weir session kick juliet@localhost/balcony --text "please update your client"`,
		sessionListCommand(), sessionCountCommand(), sessionShowCommand(), sessionExplainCommand(), sessionWatchCommand(), sessionKickCommand())
}

// sessionFlags are what all commands about sessions have.
type sessionFlags struct {
	settings *settings
	json     bool
}

func sessionFlagsOf(cmd *cobra.Command) *sessionFlags {
	f := &sessionFlags{settings: settingsOf(cmd, false)}
	cmd.Flags().BoolVar(&f.json, "json", false, "answer in JSON")
	cmd.ValidArgsFunction = func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return f.complete(cmd.Context()), cobra.ShellCompDirectiveNoFileComp
	}
	return f
}

// complete lists what a session can be named by.
func (f *sessionFlags) complete(ctx context.Context) []string {
	var names []string
	cfg, err := f.settings.load()
	if err != nil {
		return nil
	}
	if t, err := running(cfg); err == nil {
		all, _ := t.Sessions(ctx, "")
		for _, d := range all {
			names = append(names, d.ID)
			if d.JID != "" {
				names = append(names, d.JID)
			}
		}
		t.Client.Close()
	}
	return names
}

// with runs fn with the server that runs.
func (f *sessionFlags) with(cmd *cobra.Command, fn func(context.Context, *target) error) error {
	t, err := f.settings.server()
	if err != nil {
		return err
	}
	defer t.Client.Close()
	return fn(cmd.Context(), t)
}

func sessionListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list [ACCOUNT]",
		Short: "List sessions",
		Long: `List the sessions of all accounts, or of one. Streams that have not logged in yet
are listed too, without an address.`,
		Example: "  weir session list\n  weir session list juliet@localhost\n  weir session list --state hibernating\n  weir session list --json",
		Args:    atMostOne("an account"),
	}
	flags := sessionFlagsOf(cmd)
	query := queryOf(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := ofAccount(query, args); err != nil {
			return err
		}
		return flags.with(cmd, func(ctx context.Context, t *target) error {
			all, err := t.SessionsOf(ctx, *query)
			if err != nil {
				return err
			}
			if flags.json {
				return writeJSON(cmd.OutOrStdout(), all)
			}
			if len(all) == 0 {
				_, err := fmt.Fprintln(cmd.ErrOrStderr(), "no sessions")
				return err
			}
			var rows [][]string
			for _, d := range all {
				rows = append(rows, sessionRow(d, time.Now()))
			}
			return table(cmd.OutOrStdout(), []string{"ID", "ADDRESS", "STATE", "PRESENCE", "TLS", "FROM", "CONNECTED", "ACTIVE", "ENDS", "DEVICE"}, rows)
		})
	}
	return cmd
}

// sessionRow is a line of the list. A session that hibernates has no connection
// to tell of, but a time at which it ends.
func sessionRow(d sessionmgr.Description, now time.Time) []string {
	tls, from, ends := dash(d.TLS), dash(d.Remote), "-"
	if hibernates(d) {
		tls, from, ends = "-", "-", until(now, d.Acks.Expires)
	}
	device := deviceOf(d)
	switch { // what it calls itself others may too
	case d.Device == "":
	case device == "-":
		device = d.Device
	default:
		device += " " + d.Device
	}
	return []string{d.ID, dash(d.JID), d.State, presenceOf(d), tls, from, ago(now, d.Connected), ago(now, d.LastActive), ends, device}
}

// deviceOf is what a session's client calls itself and its device.
func deviceOf(d sessionmgr.Description) string {
	switch {
	case d.Software == "":
		return dash(d.DeviceName)
	case d.DeviceName == "":
		return d.Software
	}
	return d.Software + " / " + d.DeviceName
}

func hibernates(d sessionmgr.Description) bool { return d.Acks != nil && !d.Acks.Hibernating.IsZero() }

func presenceOf(d sessionmgr.Description) string {
	if !d.Available {
		return "-"
	}
	return "available (" + strconv.Itoa(int(d.Priority)) + ")"
}

func sessionShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show ID",
		Short:   "Show everything about a session",
		Long:    "Show everything about a session, by its id or its full address.",
		Example: "  weir session show juliet@localhost/balcony",
		Args:    exactly("the id or the full address of a session"),
	}
	flags := sessionFlagsOf(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return flags.with(cmd, func(ctx context.Context, t *target) error {
			d, err := t.Session(ctx, args[0])
			if err != nil {
				return err
			}
			if flags.json {
				return writeJSON(cmd.OutOrStdout(), d)
			}
			return showSession(cmd.OutOrStdout(), d, time.Now())
		})
	}
	return cmd
}

func showSession(w io.Writer, d sessionmgr.Description, now time.Time) error {
	yes := func(b bool) string {
		if b {
			return "yes"
		}
		return "no"
	}
	tls := "none: this connection can be read on its way"
	from := dash(d.Remote) + " by " + dash(d.Transport) + " at " + dash(d.Listener)
	switch {
	case d.Transport == sessionmgr.TransportVirtual:
		tls, from = "-", "this server: a function, no connection"
	case d.TLS != "":
		tls = d.TLS + " " + d.Cipher
		if d.TLSResumed {
			tls += ", resumed by a ticket"
		}
	case hibernates(d):
		tls = "-"
	}
	switch {
	case hibernates(d) && d.Remote == "":
		from = "no connection since the server started"
	case hibernates(d):
		from = "no connection; the last was " + from
	}
	presence := presenceOf(d)
	if d.Unseen {
		presence += ", contacts are told it isn't there"
	}
	rows := [][]string{
		{"id", d.ID},
		{"address", dash(d.JID)},
		{"host", dash(d.Host)},
		{"state", d.State},
		{"presence", presence},
		{"gets roster pushes", yes(d.Interested)},
		{"gets copies", yes(d.Carbons)},
		{"inactive", yes(d.Inactive)},
		{"connected", at(d.Connected, now)},
		{"last stanza from it", at(d.LastActive, now)},
		{"last use of it", at(d.LastVisible, now)},
		{"from", from},
		{"node", dash(d.Node)},
		{"TLS", tls},
		{"asked for by TLS", dash(d.SNI)},
		{"language", dash(d.Lang)},
		{"logged in by", dash(d.Mechanism)},
		{"channel binding", dash(d.Binding)},
		{"device", deviceOf(d) + " (" + dash(d.Device) + ")"},
		{"class of device", dash(d.Class)},
		{"policy", dash(d.Policy)},
		{"stanzas from it", strconv.FormatUint(uint64(d.Handled), 10)},
		{"stanzas to it", strconv.FormatUint(uint64(d.Sent), 10)},
		{"received from it", traffic(d.In)},
		{"given to it", traffic(d.Out)},
		{"bytes waiting", strconv.Itoa(d.Waiting)},
	}
	rows = append(rows, ackRows(d, now)...)
	rows = append(rows, attributeRows(d, now)...)
	if d.Queue != nil && (d.Acks != nil || d.Queue.Messages > 0) {
		rows = append(rows, []string{"waiting in the log", queued(d.Queue)})
	}
	if d.CatchingUp {
		rows = append(rows, []string{"catching up", "yes: messages from the log are on their way"})
	}
	if d.Cause != "" {
		rows = append(rows, []string{"ended", d.Cause})
	}
	return table(w, nil, rows)
}

// traffic is what went one way since the server was started.
func traffic(t sessionmgr.Traffic) string {
	return fmt.Sprintf("%s, %d presence, %s, %s", plural(int(t.Messages), "message"), t.Presence, plural(int(t.IQs), "IQ"), plural(int(t.Bytes), "byte"))
}

// ackRows tells of a session's stream management.
func ackRows(d sessionmgr.Description, now time.Time) [][]string {
	a := d.Acks
	if a == nil {
		return [][]string{{"stream management", "off"}}
	}
	on := "on, can't be resumed"
	if a.Resumable {
		on = "on, can be resumed for " + span(time.Duration(a.Keep)*time.Second)
	}
	rows := [][]string{{"stream management", on}}
	if hibernates(d) {
		rows = append(rows, []string{"hibernates since", at(a.Hibernating, now)},
			[]string{"ends", a.Expires.Local().Format(time.DateTime) + " (" + until(now, a.Expires) + ")"})
	}
	if a.Restored {
		rows = append(rows, []string{"restored", "yes: the server was restarted since it had a connection"})
	}
	source, waits := "as they are sent", "nothing"
	if a.Source == sessionmgr.FromLog {
		source = "from the log"
	}
	switch a.WaitsFor {
	case sessionmgr.WaitsResumption:
		waits = "its client to resume it"
	case sessionmgr.WaitsDisk:
		waits = "the disk"
	case sessionmgr.WaitsRoom:
		waits = "its client to read"
	case sessionmgr.WaitsAck:
		waits = "its client to acknowledge"
	}
	sent := strconv.FormatUint(uint64(a.Sent), 10)
	if a.Restored {
		sent = "an unknown number of"
	}
	resumed, handled := "never", plural(int(a.Handled), "stanza")+" from it"
	if a.Resumes > 0 {
		resumed = plural(int(a.Resumes), "time")
	}
	if a.Handling > 0 {
		handled += fmt.Sprintf(", %d more are not recorded yet", a.Handling)
	}
	return append(rows, [][]string{
		{"resumed", resumed},
		{"gets messages", source},
		{"waits for", waits},
		{"handled for good", handled},
		{"acknowledged by it", fmt.Sprintf("%d of %s stanzas, last %s", a.Acknowledged, sent, ago(now, a.LastAck))},
		{"not acknowledged", fmt.Sprintf("%s, %s of them kept in memory", plural(a.Unacked, "stanza"), plural(a.UnackedBytes, "byte"))},
		{"held for it", plural(a.Held, "stanza")},
	}...)
}

func queued(q *sessionmgr.Queue) string {
	text := fmt.Sprintf("%s, %s", plural(q.Messages, "message"), plural(int(q.Bytes), "byte"))
	if q.More {
		text += ", and perhaps more: the log is long"
	}
	return text
}

func at(t, now time.Time) string {
	if t.IsZero() || t.Unix() <= 0 {
		return "never"
	}
	return t.Local().Format(time.DateTime) + " (" + ago(now, t) + ")"
}
