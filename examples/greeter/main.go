package main

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"weir"
	"weir/config"
)

func main() {
	cfg := config.Default()
	flag.StringVar(&cfg.Data, "data", cfg.Data, "`folder` of everything that is kept")
	flag.StringVar(&cfg.Listen.C2S, "c2s", cfg.Listen.C2S, "`address` for clients")
	flag.Parse()
	cfg.Listen.C2STLS = ""

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	err := weir.Run(ctx, cfg, log, func(s *weir.Server) error {
		_, err := New(s.Sessions)
		return err
	})
	if err != nil {
		log.Error("the server ended", "err", err)
		os.Exit(1)
	}
}
