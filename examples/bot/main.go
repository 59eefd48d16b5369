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
	"weir/jid"
)

func main() {
	cfg := config.Default()
	flag.StringVar(&cfg.Data, "data", cfg.Data, "`folder` of everything that is kept")
	flag.StringVar(&cfg.Listen.C2S, "c2s", cfg.Listen.C2S, "`address` for clients")
	name := flag.String("name", "lunch", "local part of the bot's `address`")
	flag.Parse()
	cfg.Listen.C2STLS = ""

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	err := weir.Run(ctx, cfg, log, func(s *weir.Server) error {
		address, err := jid.New(*name, cfg.Domains[0], "")
		if err != nil {
			return err
		}
		bot, err := New(s.Sessions, address)
		if err != nil {
			return err
		}
		s.Add(bot) // it starts and stops with the server
		return nil
	})
	if err != nil {
		log.Error("the server ended", "err", err)
		os.Exit(1)
	}
}
