package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"weir"
	"weir/config"
	"weir/storage"

	"github.com/spf13/cobra"
)

// serveCommand is "weir serve".
func serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run a server",
		Long: `Run a server. Without any configuration it serves the domain localhost on the
ports 5222 (STARTTLS) and 5223 (TLS), keeps everything in ./weir-data and makes
itself a certificate. Settings come from flags, WEIR_… variables ("weir help
environment") and a file ("weir config"), in this order.

The addresses it listens on are printed to standard output, the log goes to standard
error. SIGTERM, SIGINT and "weir stop" stop it in order, SIGHUP and "weir reload"
make it read configuration and certificates again ("weir help signals").

--exit-when-idle stops it when no session has been there for a while, one that
hibernates included: for tests, and for a server that is started on demand. Give a
time with "=": --exit-when-idle=5m.

--demo runs a throw-away server: in a folder that is removed at the end, reachable
from this machine only, with two accounts whose passwords it prints.`,
		Example: `  weir serve --demo
  weir serve
  weir serve --data /var/lib/weir --domain example.org --domain example.net
  weir serve --config /etc/weir.toml --log-format json --metrics 127.0.0.1:9222`,
		Args: noArguments,
	}
	settings := settingsOf(cmd, true)
	demo := cmd.Flags().Bool("demo", false, "run a throw-away server with two accounts")
	idle := cmd.Flags().Duration("exit-when-idle", 0, "stop when there has been no session for this `DURATION` (1m if it isn't given)")
	cmd.Flags().Lookup("exit-when-idle").NoOptDefVal = "1m"
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *idle < 0 {
			return errors.New("--exit-when-idle takes no negative time")
		}
		src := settings.source()
		if *demo {
			return serveDemo(cmd, src, *idle)
		}
		cfg, err := config.Load(src)
		if err != nil {
			return err
		}
		return serve(cmd, cfg, manner{load: func() (config.Config, error) { return config.Load(src) }, idle: *idle}, sayHowToAdd)
	}
	return cmd
}

// serve runs a server until a signal or an admin ends it. ready is called once it
// listens.
func serve(cmd *cobra.Command, cfg config.Config, how manner, ready func(io.Writer, *weir.Server) error) error {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer signal.Stop(signals)
	defer weir.ReserveHeap(weir.HeapFloor)()
	out := cmd.OutOrStdout()
	log, level := newLog(cfg.Log, cmd.ErrOrStderr())
	if err := ownFolder(cfg.Data); err != nil {
		return err
	}
	s, err := weir.New(cmd.Context(), cfg, log)
	if err != nil {
		return explainOpen(cfg, err)
	}
	warnInsecure(cmd.ErrOrStderr(), cfg)
	w := newWaiter(s, how)
	s.Load, s.Level, s.OnStop = how.load, level, w.ask
	err = s.Start(cmd.Context())
	if err == nil {
		for _, a := range s.Addresses() {
			fmt.Fprintf(out, "listening %s %s\n", a.Name, a.Addr)
		}
		err = ready(out, s)
	}
	if err != nil {
		return errors.Join(explainListen(err), stop(s, cfg, nil))
	}
	log.Info("started", "version", weir.Version, "domains", cfg.Domains, "data", cfg.Data)
	stopWatchdog := notifyReady(s, log)
	why := w.wait(cmd.Context(), signals)
	stopWatchdog()
	log.Info("stopping", "why", why)
	notify("STOPPING=1")
	return stop(s, s.Current(), signals)
}

// sameSignal is within which time a further signal is the first one again: some
// programs that end others send it to the process and to its group.
const sameSignal = 300 * time.Millisecond

// stop ends the server in order; a further signal ends the process at once.
func stop(s *weir.Server, cfg config.Config, signals <-chan os.Signal) error {
	began := time.Now()
	done := make(chan error, 1)
	go func() { done <- s.StopWithin(cfg.ShutdownTimeout) }()
	for {
		select {
		case err := <-done:
			return err
		case sig := <-signals:
			if n, ok := sig.(syscall.Signal); ok && sig != syscall.SIGHUP && time.Since(began) > sameSignal {
				s.Log.Warn("ended at once by a second signal")
				return exitCode(128 + int(n))
			}
		}
	}
}

// newLog makes the log that a configuration asks for.
func newLog(l config.Log, w io.Writer) (*slog.Logger, *slog.LevelVar) {
	level := new(slog.LevelVar)
	_ = level.UnmarshalText([]byte(l.Level)) // config has looked at it
	o := &slog.HandlerOptions{Level: level}
	if l.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o)), level
	}
	return slog.New(slog.NewTextHandler(w, o)), level
}

// sayHowToAdd prints the one command that makes an account.
func sayHowToAdd(w io.Writer, s *weir.Server) error {
	cfg := s.Config
	data := ""
	if cfg.Data != config.Default().Data {
		data = " --data " + shellWord(cfg.Data)
	}
	_, err := fmt.Fprintf(w, "to make an account: weir user add%s NAME@%s\n", data, cfg.Domains[0])
	return err
}

// shellWord quotes a word for a shell where it needs it.
func shellWord(s string) string {
	if strings.ContainsAny(s, " \t\n'\"\\$`*?[]{}()<>|&;#~!") || s == "" {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return s
}

func warnInsecure(w io.Writer, cfg config.Config) {
	if cfg.Listen.C2SInsecure == "" {
		return
	}
	fmt.Fprintf(w, "WARNING: --c2s-insecure is on. Clients of this listener may stay without TLS: whoever sees the\n"+
		"WARNING: traffic reads everything. It is for measurements and for proxies that end TLS, nothing else.\n")
}

// explainOpen says what to do when a server can't be made.
func explainOpen(cfg config.Config, err error) error {
	switch {
	case errors.Is(err, storage.ErrLocked):
		return fmt.Errorf("another server or command uses the data folder %s\n"+
			"`weir status --data %s` asks that server; stop it first, or give this one another folder with --data", cfg.Data, cfg.Data)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%w\nthe user who runs the server needs the folder %s for itself (mode 0700)", err, cfg.Data)
	}
	return err
}

// explainListen says what to do when an address can't be had.
func explainListen(err error) error {
	var l *weir.ListenError
	if !errors.As(err, &l) {
		return err
	}
	flag := "--" + l.Name
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("the address %s for %s is taken: another program listens there\n"+
			"`ss -ltnp` shows which; stop it, or choose another address with %s", l.Addr, l.Name, flag)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("the address %s for %s is not permitted: ports below 1024 need a privilege\n"+
			"choose a port above 1023 with %s, or give the program CAP_NET_BIND_SERVICE", l.Addr, l.Name, flag)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("the address %s for %s is not one of this machine\n"+
			"`ip addr` shows those it has; choose one with %s", l.Addr, l.Name, flag)
	}
	return fmt.Errorf("%w\nchoose another address with %s", err, flag)
}

// notifyReady tells systemd that the server is ready and, if asked for, every
// now and then that it still is. The function it returns ends that.
func notifyReady(s *weir.Server, log *slog.Logger) (stop func()) {
	if err := notify("READY=1"); err != nil {
		log.Warn("systemd could not be told that the server is ready", "err", err)
	}
	every := watchdogInterval()
	if every == 0 {
		return func() {}
	}
	done := make(chan struct{})
	go func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_ = notify("WATCHDOG=1")
			case <-done:
				return
			}
		}
	}()
	return func() { close(done) }
}

// certificateOf is where the self-signed certificate of a domain is kept.
func certificateOf(cfg config.Config, domain string) string {
	return filepath.Join(cfg.Data, "certs", domain+".pem")
}
