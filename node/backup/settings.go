package backup

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kithmesh/kith/node/durable"
	"github.com/kithmesh/kith/node/vault"
	"github.com/kithmesh/kith/node/vault/retention"
)

// Settings are what rules a vault: its owner alone sets them.
type Settings struct {
	Policy   retention.Policy `json:"policy"`
	Quota    int64            `json:"quota"`     // bytes; 0: none
	KeepFree int64            `json:"keep_free"` // bytes that stay free on the disk
	Schedule string           `json:"schedule"`  // empty: continuous
	Hook     string           `json:"hook"`      // a command for when the backup is stale
}

// KeepFree is what is left free on the disk of a vault unless its owner says
// otherwise: a gibibyte, or less on a small disk.
func KeepFree(free int64) int64 { return min(1<<30, free/20) }

// Keep stores settings for a keeper that is not open.
func Keep(dir string, s Settings) error { return s.write(filepath.Join(dir, settingsFile)) }

// Free is how many bytes may be written to the disk of a directory, or of where
// it is to be made.
func Free(dir string) (int64, error) {
	for {
		_, err := os.Stat(dir)
		if err == nil || filepath.Dir(dir) == dir {
			return vault.Free(dir)
		}
		dir = filepath.Dir(dir)
	}
}

// loadSettings reads stored settings; those that are damaged are an error, as
// without them more might be dropped than its owner has said.
func loadSettings(path string, otherwise Settings) (Settings, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return otherwise, nil
	}
	s := otherwise
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	s.Policy.Zone = otherwise.Policy.Zone
	if err == nil {
		err = s.Policy.Check()
	}
	if err != nil {
		return s, fmt.Errorf("read %q: %w (remove it to go on with the defaults)", path, err)
	}
	return s, nil
}

func (s Settings) write(path string) error {
	s.Policy.Zone = nil // that of the machine, wherever it is by then
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return durable.Write(path, b, 0o600)
}
