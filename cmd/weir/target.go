package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"weir"
	"weir/admin"
	"weir/config"
	"weir/storage"
)

// target is the server that a command talks to: one that runs, or one without a
// network made of the data folder for the time of the command.
type target struct {
	*admin.Client
	offline *weir.Server // nil if a server runs
}

// running returns the server that runs on the data folder of a configuration.
func running(cfg config.Config) (*target, error) {
	c, err := admin.Dial(cfg.Data)
	if errors.Is(err, admin.ErrNotRunning) {
		return nil, fmt.Errorf("no server runs on the data folder %s\n"+
			"start one with `weir serve --data %s`, or name the folder of the one that runs with --data, --config or WEIR_DATA", cfg.Data, cfg.Data)
	}
	if err != nil {
		return nil, err
	}
	return &target{Client: c}, nil
}

// busyWait is how long a command waits for a server that is starting or stopping.
const busyWait = 3 * time.Second

// runningOrOffline returns the server that runs on the data folder, or else one
// for this command. A folder that isn't there is made only by a command that makes
// something to be kept in it.
func runningOrOffline(ctx context.Context, cfg config.Config, makes bool) (*target, error) {
	for end := time.Now().Add(busyWait); ; {
		c, err := admin.Dial(cfg.Data)
		if err == nil {
			return &target{Client: c}, nil
		}
		if !errors.Is(err, admin.ErrNotRunning) {
			return nil, err
		}
		if _, err := os.Stat(cfg.Data); !makes && errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no data folder %s\nname that of the server with --data, --config or WEIR_DATA", cfg.Data)
		}
		t, err := offline(ctx, cfg)
		if !errors.Is(err, storage.ErrLocked) {
			return t, err
		}
		if time.Now().After(end) {
			return nil, fmt.Errorf("the store in %s is in use, but no server answers on its control socket: "+
				"another weir command works on it, or a server that is starting or stopping; try again in a moment", cfg.Data)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func offline(ctx context.Context, cfg config.Config) (*target, error) {
	if err := ownFolder(cfg.Data); err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	s, err := weir.Open(ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	return &target{Client: admin.Local(s.Control), offline: s}, nil
}

// ownFolder refuses to work on a data folder of another user: what root writes
// there, the server could not read afterwards.
func ownFolder(data string) error {
	for _, name := range []string{data, filepath.Join(data, "store")} {
		fi, err := os.Stat(name)
		if err != nil {
			continue // not there yet, or told by who opens it
		}
		if st, ok := fi.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
			return fmt.Errorf("%s belongs to the user with id %d, and no server runs on it: "+
				"start the server first, or run this command as that user (sudo -u '#%d' weir …)", name, st.Uid, st.Uid)
		}
	}
	return nil
}

// close ends the talk; offline it also sees that everything is kept.
func (t *target) close() error {
	t.Client.Close()
	if t.offline == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return t.offline.Stop(ctx)
}
