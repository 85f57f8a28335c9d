package control

import (
	"context"
	"time"
)

// Recovery is about the words that open everything when all devices but a
// blind replica are lost.
type Recovery interface {
	// DraftRecovery draws words, which have no effect yet. They are shown once.
	DraftRecovery(ctx context.Context) (RecoveryDraft, error)

	// ConfirmRecovery puts drafted words into effect, in place of earlier
	// ones, once the person has shown that they wrote them down. A draft is
	// forgotten after a wrong answer and after an hour. [ErrInvalid].
	ConfirmRecovery(ctx context.Context, draft string, answers []string) (RecoveryState, error)

	// TestRecovery tells what the words would open, without using them.
	// [ErrInvalid] for what are not the words of any phrase.
	TestRecovery(ctx context.Context, phrase string) (RecoveryState, error)

	// Recover gives this device the folders that the words open: it finds a
	// member that keeps them, takes rosters and keys from it, and becomes a
	// member of each. Then the files come like any others.
	Recover(ctx context.Context, r RecoverRequest, progress func(string) error) (Recovered, error)
}

// RecoveryDraft is words that are not in effect yet.
type RecoveryDraft struct {
	ID    string
	Words []string // 24
	Ask   []int    // positions, from 1, of the words to ask for
}

// RecoveryState is what words open.
type RecoveryState struct {
	Created time.Time // zero if there are none in effect
	Matches bool      // the words given are those in effect
	Folders []RecoveryFolder
}

// RecoveryFolder is a folder, and whether the words open it.
type RecoveryFolder struct {
	Folder  Folder
	Covered bool
	Epochs  int        // of keys that are sealed to the words
	At      []Identity // members that hold what is needed, as far as known
}

// RecoverRequest asks to get everything back.
type RecoverRequest struct {
	Phrase  string
	At      []string // multiaddrs of a member; empty: search the local network
	Code    string   // a pairing code that a member shows; empty: none
	To      string   // absolute path of the directory in which folders are put, each under its label
	Folders []string // labels or IDs; empty: all
	Paths   []string // FOLDER/PATH: these first
	Revoke  []string // names or IDs of devices that are lost, or "all"
}

// Recovered is what came back.
type Recovered struct {
	From    Identity
	Folders []Folder
	Revoked []Identity
	Left    []string // labels of folders that were there and not asked for, or could not be opened
}
