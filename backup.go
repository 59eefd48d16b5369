package weir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Backup copies everything that is kept to a new folder, while the server works:
// what was acknowledged before the call is in it. A server can be run on the copy.
// The key that tokens are made of comes with it only if secrets is true: without it
// nobody can log in with what is in the copy, and every device needs its password
// once where a server is run on it.
func (s *Server) Backup(dir string, secrets bool) (err error) {
	store, ok := s.Store.(interface{ Checkpoint(dir string) error })
	if !ok {
		return errors.New("this store can't be copied while it is in use")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir)) // half a backup is none
		}
	}()
	if err := store.Checkpoint(filepath.Join(dir, "store")); err != nil {
		return err
	}
	if err := s.copyFolder(dir, "certs"); err != nil {
		return fmt.Errorf("the certificates can't be copied: %w", err)
	}
	if secrets {
		if err := s.copyFolder(dir, secretsDir); err != nil {
			return fmt.Errorf("the secrets can't be copied: %w", err)
		}
	}
	s.Log.Info("backup made", "dir", dir, "secrets", secrets)
	return nil
}

// copyFolder copies a folder of the data folder, for its owner only. One that isn't
// there is left out.
func (s *Server) copyFolder(dir, name string) error {
	from := filepath.Join(s.Config.Data, name)
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path == from {
			return nil // none was made
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(s.Config.Data, path)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, rel)
		if d.IsDir() {
			return os.Mkdir(to, 0o700)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(to, b, 0o600)
	})
}
