package cover

import (
	"slices"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/node/recovery"
	"github.com/kithmesh/kith/protocol/seal"
)

// Opens counts the keys of a folder that words open, and tells whether that is
// all of it. A device that has no keys of the folder cannot compare them: keys
// is empty then, and what is sealed to the words is believed.
func Opens(secret *recovery.Secret, r roster.Roster, keys map[entry.Epoch]seal.FolderKey) (epochs int, all bool) {
	id := secret.Public().Device()
	opened, _ := secret.OpenAll(r.Folder(), payloads(r.SealedTo(id)))
	for e, k := range keys {
		if slices.Contains(opened[e], k) {
			epochs++
		}
	}
	if len(keys) == 0 {
		epochs = len(opened)
	}
	return epochs, r.IsRecovery(id) && epochs > 0 && epochs >= len(keys)
}

// Told is what rosters say of words that were not made on this device: whether
// they are those of a recovery key, and when that was made; or when another was,
// if they are not.
func Told(rosters []roster.Roster, words entry.DeviceID) (made time.Time, known bool) {
	for _, r := range rosters {
		for _, key := range r.Recoveries() {
			if at := key.Clock.Time(); made.IsZero() || key.Device == words && !known {
				made = at
			}
			known = known || key.Device == words
		}
	}
	return made, known
}

// unkept is how many keys of the folder nobody has kept for a recovery key.
func unkept(key *roster.Recovery, keys map[entry.Epoch]seal.FolderKey) int {
	for _, k := range key.Sealed {
		public, _, err := recovery.Read(key.Device, k.Payload)
		if err != nil {
			continue
		}
		return len(public.Missing(keys, payloads(key.Sealed)))
	}
	return 0
}

func payloads(sealed []roster.SealedKeys) [][]byte {
	out := make([][]byte, 0, len(sealed))
	for _, k := range slices.Backward(sealed) { // earliest first
		out = append(out, k.Payload)
	}
	return out
}
