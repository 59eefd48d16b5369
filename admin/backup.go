package admin

import (
	"errors"
	"io/fs"
	"net/http"
	"path/filepath"
)

// Backup names a copy of the data folder.
type Backup struct {
	Dir     string `json:"dir"`               // an absolute path; it must not exist
	Secrets bool   `json:"secrets,omitempty"` // with the key that tokens are made of
}

// makeBackup answers POST /v1/backup: the server copies what it keeps to a folder
// that another can be run on.
func (c *Control) makeBackup(_ http.ResponseWriter, r *http.Request) (any, error) {
	var b Backup
	if err := body(r, &b); err != nil {
		return nil, err
	}
	if !filepath.IsAbs(b.Dir) {
		return nil, problemf(http.StatusBadRequest, "the folder %q is no absolute path", b.Dir)
	}
	err := c.backup(b.Dir, b.Secrets)
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil, problemf(http.StatusConflict, "%s exists already: name a new folder", b.Dir)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return nil, problemf(http.StatusBadRequest, "the server can't make %s: %v", b.Dir, err)
	case err != nil:
		return nil, err
	}
	return b, nil
}
