package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"weir"
	"weir/config"

	"github.com/spf13/cobra"
)

func serveCommand() *cobra.Command {
	cfg := config.Default()
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run a server",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return serve(cmd.Context(), cfg) },
	}
	f := cmd.Flags()
	f.StringVar(&cfg.Data, "data", cfg.Data, "folder for everything that is kept")
	f.StringSliceVar(&cfg.Domains, "domain", cfg.Domains, "domain to serve (may be given several times)")
	f.StringVar(&cfg.Listen.C2S, "c2s", cfg.Listen.C2S, "address for clients with STARTTLS")
	f.StringVar(&cfg.Listen.C2STLS, "c2s-tls", cfg.Listen.C2STLS, "address for clients with direct TLS")
	f.StringVar(&cfg.Listen.C2SInsecure, "c2s-insecure", cfg.Listen.C2SInsecure, "address where TLS is not required")
	return cmd
}

func serve(ctx context.Context, cfg config.Config) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	s, err := weir.New(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer s.Stop(context.Background())
	if err := s.Start(ctx); err != nil {
		return err
	}
	for _, a := range s.Addresses() {
		fmt.Printf("listening %s %s\n", a.Name, a.Addr)
	}
	<-ctx.Done()
	down, cancel := context.WithTimeout(context.Background(), cfg.ShutdownTimeout)
	defer cancel()
	return s.Stop(down)
}
