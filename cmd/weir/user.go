package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"weir"
	"weir/auth"
	"weir/config"
	"weir/jid"

	"github.com/spf13/cobra"
)

func userCommand() *cobra.Command {
	cfg := config.Default()
	var from string
	cmd := &cobra.Command{Use: "user", Short: "Accounts"}
	add := &cobra.Command{
		Use:  "add JID",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			st, err := weir.OpenStore(cfg, slog.New(slog.DiscardHandler), nil)
			if err != nil {
				return err
			}
			defer st.Close()
			a, err := auth.New(cmd.Context(), cfg.Auth, st)
			if err != nil {
				return err
			}
			if from != "" {
				return addMany(cmd.Context(), a, from)
			}
			j, err := jid.Parse(args[0])
			if err != nil {
				return err
			}
			pw, err := io.ReadAll(os.Stdin)
			if err != nil {
				return err
			}
			return a.Create(cmd.Context(), j, strings.TrimRight(string(pw), "\r\n"))
		},
	}
	add.Flags().StringVar(&cfg.Data, "data", cfg.Data, "data folder")
	add.Flags().StringVar(&from, "from", "", "file with lines of JID and password")
	cmd.AddCommand(add)
	return cmd
}

func addMany(ctx context.Context, a *auth.Service, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	return a.CreateMany(ctx, func() (jid.JID, string, error) {
		if !in.Scan() {
			return jid.JID{}, "", io.EOF
		}
		addr, pw, _ := strings.Cut(in.Text(), " ")
		j, err := jid.Parse(addr)
		return j, pw, err
	}, func(int) { fmt.Print() })
}
