package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Prepare creates the directories that are missing, for their owner alone, and
// takes away what access others have to the state directory. It wraps
// [ErrNotPrivate] if the state or the socket would lie where somebody else
// rules.
func (p Places) Prepare() error {
	for _, dir := range []string{filepath.Dir(p.Config), p.State} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("prepare %q: %w", dir, err)
		}
	}
	if err := tighten(p.State); err != nil {
		return fmt.Errorf("prepare %q: %w", p.State, err)
	}
	dir := filepath.Dir(p.Socket)
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("prepare %q: %w", dir, err)
	}
	return p.CheckSocket()
}

// CheckSocket tells by an error that wraps [ErrNotPrivate] that somebody else
// could have put the control socket where it is expected. A client asks before
// it speaks to it. It wraps [fs.ErrNotExist] if not even the directory exists.
func (p Places) CheckSocket() error {
	dir := filepath.Dir(p.Socket)
	if err := private(dir); err != nil {
		return fmt.Errorf("trust socket directory %q: %w", dir, err)
	}
	return nil
}
