// Package epochs knows how the keys of a folder follow each other, and which
// keys a folder can have.
//
// An epoch is named by its generation and a few bits of its key. The generation
// is how many removals the folder had seen when the epoch began: so a key that
// was begun by who did not know of some removal, and may have been given to the
// removed, is never of the last generation once all is known. Two members that
// begin one at the same time begin two, and both can be told apart. The
// founding epoch is 1, of generation 0.
//
// # Promises
//
//   - How an epoch is named after its key never changes.
//   - A key is believed to be of an epoch only if its name says so; only the
//     founding key has a name that proves nothing.
//   - No map that is passed in is changed.
//
// The package is pure but for the random numbers of a new key.
package epochs

import (
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/protocol/seal"
)

// Founding is the epoch with which a folder begins.
const Founding entry.Epoch = 1

// MaxKeys is how many keys a folder may have: who removes members so often
// founds it anew.
const MaxKeys = 1024

const (
	tagBits        = 20
	tagMask        = 1<<tagBits - 1
	lastGeneration = 1<<(32-tagBits) - 1
)

// Key is the key of a folder, as [seal.FolderKey] or as it is stored.
type Key interface{ ~[32]byte }

// Name is the epoch of a key that began in a generation.
func Name[K Key](generation int, key K) entry.Epoch {
	sum := sha256.Sum256(append([]byte("kith epoch v1\x00"), key[:]...))
	tag := binary.BigEndian.Uint32(sum[:]) & tagMask
	return entry.Epoch(generation)<<tagBits | entry.Epoch(tag)
}

// Generation is that of an epoch.
func Generation(e entry.Epoch) int { return int(e >> tagBits) }

// Removals counts the statements that have ever put somebody out, whether they
// are in force or not: nothing takes one away again.
func Removals(statements []roster.Statement) (n int) {
	for i := range statements {
		if statements[i].Kind == roster.Revoke {
			n++
		}
	}
	return n
}

// Newest is the epoch that came last, 0 if there is no key.
func Newest[K Key](keys map[entry.Epoch]K) (e entry.Epoch) {
	for k := range keys {
		e = max(e, k)
	}
	return e
}

// Lacks tells whether none of the keys began after all removals.
func Lacks[K Key](keys map[entry.Epoch]K, removals int) bool {
	return Generation(Newest(keys)) < removals
}

// Begin adds the key of a new epoch to those of a folder that has seen so many
// removals, if there is none yet that began after all of them: what is sealed
// from then on cannot be opened by those who were members before and are not
// any more. It returns all keys, and the new epoch, which is 0 if none is
// begun. A folder that has no keys gets none: the role of its device gives none
// away. The error wraps [ErrMany].
func Begin[K Key](keys map[entry.Epoch]K, removals int) (map[entry.Epoch]K, entry.Epoch, error) {
	switch {
	case len(keys) == 0 || !Lacks(keys, removals):
		return keys, 0, nil
	case len(keys) >= MaxKeys || removals > lastGeneration:
		return keys, 0, ErrMany
	}
	key := seal.NewFolderKey()
	e := Name(removals, key)
	keys = maps.Clone(keys)
	keys[e] = K(key)
	return keys, e, nil
}

// Fits tells whether a key can be that of an epoch in a folder that has seen so
// many removals. Of the founding key nothing can be told.
func Fits[K Key](e entry.Epoch, key K, removals int) bool {
	g := Generation(e)
	return e == Founding || g > 0 && g <= removals && Name(g, key) == e
}

// Follows refuses a key that a folder which has seen so many removals cannot
// have beside those that are known: of another epoch than it says, or of a
// generation after the last. It wraps [ErrName], [ErrRemoval] or [ErrMany].
func Follows[K, L Key](known map[entry.Epoch]K, e entry.Epoch, key L, removals int) error {
	generation := Generation(e)
	_, taken := known[e]
	switch {
	case taken || generation == 0 || Name(generation, key) != e:
		return ErrName
	case generation > removals:
		return ErrRemoval
	case len(known) == 0 || len(known) >= MaxKeys:
		return ErrMany
	}
	return nil
}

// Sound are those of offered keys that a folder which has seen so many removals
// can have.
func Sound[K Key](keys map[entry.Epoch]K, removals int) map[entry.Epoch]K {
	out := map[entry.Epoch]K{}
	for _, e := range slices.Sorted(maps.Keys(keys)) {
		if e == Founding || Follows(out, e, keys[e], removals) == nil {
			out[e] = keys[e]
		}
	}
	return out
}
