package backup

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/durable"
	"github.com/kithmesh/kith/node/vault"
	"github.com/kithmesh/kith/protocol/history"
)

// notes are what a keeper remembers of members beside the vault. Nothing is
// lost with them: members are then asked for everything, and what the vault
// holds is not fetched again.
type notes struct {
	path string
	// Vault and Sequence are the vault's head when the notes were written: they
	// count only for a vault that has not been set back since.
	Vault    vault.ID                   `json:"vault"`
	Sequence entry.Sequence             `json:"sequence"`
	Members  map[entry.DeviceID]heardOf `json:"members"`
	// Settled: all of a member was taken in that knew the history of its files.
	Settled bool `json:"settled"`
	// LastRun is when all that connected members had to tell was taken in.
	LastRun time.Time `json:"last_run"`
	SetBack *SetBack  `json:"set_back,omitempty"`
	// Own is how far the index of this device itself was taken in.
	Own heardOf `json:"own"`
}

// heardOf is how far a member was heard: all up to Held is in the vault.
type heardOf struct {
	Index uint64         `json:"index"`
	Held  entry.Sequence `json:"held"`
}

// SetBack says that a member remembers more of this vault than it holds.
type SetBack struct {
	Found    time.Time      `json:"found"`
	Device   entry.DeviceID `json:"device"`
	Sequence entry.Sequence `json:"sequence"` // that it remembers
	Had      entry.Sequence `json:"had"`      // that the vault had
}

// loadNotes reads the notes of a vault. Those that are damaged, or of another
// vault or a later state of it, are forgotten.
func loadNotes(path string, head vault.Head, log *slog.Logger) notes {
	n := notes{path: path}
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &n)
	}
	switch {
	case err == nil && n.Vault == head.Vault && n.Sequence <= head.Sequence:
	case err == nil || errors.Is(err, fs.ErrNotExist):
		n = notes{SetBack: n.SetBack}
	default:
		if log != nil {
			log.Warn("begin anew with all members", "error", fmt.Errorf("read %q: %w", path, err))
		}
		n = notes{}
	}
	n.path, n.Vault = path, head.Vault
	if n.Members == nil {
		n.Members = map[entry.DeviceID]heardOf{}
	}
	return n
}

// write stores the notes as they are beside a vault that has come so far.
func (n *notes) write(head vault.Head) error {
	n.Vault, n.Sequence = head.Vault, head.Sequence
	b, err := json.Marshal(n)
	if err == nil {
		err = durable.Write(n.path, b, 0o600)
	}
	if err != nil {
		return fmt.Errorf("note how far members were heard: %w", err)
	}
	return nil
}

// indexOf and replicaOf are what a vault counts as towards members: numbers
// that are as random as its ID, and never zero.
func indexOf(id vault.ID) uint64 { return IndexOf(history.VaultID(id)) }

// IndexOf is what a vault counts as in the exchange.
func IndexOf(id history.VaultID) uint64 { return binary.LittleEndian.Uint64(id[:8]) | 1 }

func replicaOf(id vault.ID) version.ReplicaID {
	return version.ReplicaID(binary.LittleEndian.Uint64(id[8:]) | 1)
}
