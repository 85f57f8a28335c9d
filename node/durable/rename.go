package durable

import (
	"os"
	"path/filepath"
)

// Rename gives a file, which is synced, the name of another, durably: after a
// crash the name stands for the one or the other. It replaces what is there.
func Rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}
