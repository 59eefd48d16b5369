// Command embed is a program of its own that has an XMPP server in it: a page that
// other programs post notices to, which the server then tells to accounts. Who posts
// one is answered when the message is safe, or with why it is not.
//
// It owns the life of both: settings, the server, the web page, and in which order
// they start and stop. It must not know how a message travels. main waits for a
// signal; the web page works on goroutines of its own, one for each request.
//
// It implements no specification. Start reading at run; notices.go is the module.
package main

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"weir"
	"weir/config"
)

func main() {
	file := flag.String("config", "", "`file` with the settings of the server")
	web := flag.String("http", "127.0.0.1:8080", "`address` of the page; it asks for no password, so it should be of the loopback")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if err := run(ctx, *file, *web, log); err != nil {
		log.Error("the program ended", "err", err)
		os.Exit(1)
	}
}

// run makes the server, adds to it, and stops it whatever happens in between. A
// program that is nothing but a server has [weir.Run] for that.
func run(ctx context.Context, file, web string, log *slog.Logger) error {
	cfg, err := config.Load(config.Source{File: file, Environ: os.Environ()})
	if err != nil {
		return err
	}
	server, err := weir.New(ctx, cfg, log)
	if err != nil {
		return err
	}
	notices := New(server) // between New and Start
	if err = server.Start(ctx); err == nil {
		err = serve(ctx, web, notices, log)
	}
	// ctx has ended: what is left to do has a time of its own.
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.ShutdownTimeout)
	defer cancel()
	return errors.Join(err, server.Stop(bounded))
}

// serve has the page work until ctx ends, and returns when the last request is
// answered.
func serve(ctx context.Context, addr string, page http.Handler, log *slog.Logger) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	log.Info("listening", "listener", "http", "addr", l.Addr().String())
	s := &http.Server{Handler: page, ReadTimeout: 10 * time.Second, WriteTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return s.Shutdown(bounded)
}
