package node

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/backup"
	"github.com/kithmesh/kith/node/durable"
	"github.com/kithmesh/kith/protocol/seal"
)

// vaultPlace is where a keeper lies: among the device's own files, unless a
// person has given it a directory of its own, which a small file then names.
func (d *Device) vaultPlace(id entry.FolderID) string {
	own := filepath.Join(d.Places.Vaults, id.String())
	if b, err := os.ReadFile(own + placeSuffix); err == nil && filepath.IsAbs(string(b)) {
		return string(b)
	}
	return own
}

const placeSuffix = ".at"

// placeVault notes the directory that a person has named for a vault.
func (d *Device) placeVault(id entry.FolderID, dir string) error {
	if err := os.MkdirAll(d.Places.Vaults, 0o700); err != nil {
		return err
	}
	return durable.Write(filepath.Join(d.Places.Vaults, id.String()+placeSuffix), []byte(dir), 0o600)
}

// keep opens the vault of a backup, or the history beside a tree.
func (s *share) keep(beside bool) error {
	dir := s.device.vaultPlace(s.ID)
	free, err := backup.Free(dir)
	if err != nil {
		return err
	}
	set := backup.Settings{Policy: defaultPolicy(), KeepFree: backup.KeepFree(free)}
	if beside {
		set = besideSettings(free)
	}
	k, err := backup.Open(backup.Options{
		ID: s.ID, Device: s.device.id.ID(), Dir: dir, Log: s.device.Log, Changed: s.device.news, Settings: set, Beside: beside,
	})
	s.keeper = k
	return err
}

func (s *share) closeKeeper() error {
	if s.keeper == nil {
		return nil
	}
	return s.keeper.Close()
}

// runKeeper runs the vault of a backup, and closes it.
func (s *share) runKeeper(ctx context.Context) error {
	return errors.Join(s.keeper.Run(ctx), s.keeper.Close())
}

// isBlind tells whether a member holds no key.
func (s *share) isBlind(d entry.DeviceID) bool {
	m, is := s.member(d)
	return is && !m.Role.HoldsKey()
}

// epochs are those of which this device has keys, ascending.
func (s *share) epochs() []entry.Epoch {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.record.Keys))
}

// opens tells whether a sealed block is what its ID says, by any of the
// folder's keys.
func (s *share) opens(id entry.BlockID, sealed []byte) bool {
	for _, k := range s.keys() {
		if _, err := k.OpenBlock(nil, id, sealed); err == nil {
			return true
		}
	}
	return false
}

// keys are the folder's keys, the newest first.
func (s *share) keys() []*seal.Keys {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.derived) != len(s.record.Keys) {
		s.derived = nil
		for _, e := range slices.Backward(slices.Sorted(maps.Keys(s.record.Keys))) {
			if k, err := seal.Derive(s.ID, e, seal.FolderKey(s.record.Keys[e])); err == nil {
				s.derived = append(s.derived, k)
			}
		}
	}
	return slices.Clone(s.derived)
}
