package node

import (
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kithmesh/kith/index/entry"
)

// maxLet bounds the recovery keys that are admitted.
const maxLet = 256

// letRecoveries admits who has the words of a recovery key in force, and nobody
// whose words are not. It is no peer: it is shown nowhere and waited for by
// nobody, and talked with about rosters alone.
func (d *Device) letRecoveries() {
	wanted := map[entry.DeviceID]bool{}
	shares, _ := d.someShares("")
	for _, s := range shares {
		if _, in := s.member(d.id.ID()); !in || d.isPausedFolder(s.ID) {
			continue
		}
		for _, r := range s.rosterNow().Recoveries() {
			if _, known := d.store.Peer(r.Device); !known && r.Device != d.id.ID() && len(wanted) < maxLet {
				wanted[r.Device] = true
			}
		}
	}
	d.words.mu.Lock()
	let := d.words.let
	d.words.let = wanted
	d.words.mu.Unlock()
	for id := range let {
		who, err := peer.Decode(string(id))
		if _, known := d.store.Peer(id); err == nil && !wanted[id] && !known {
			d.net.Distrust(who)
		}
	}
	for id := range wanted {
		who, err := peer.Decode(string(id))
		if err == nil && !let[id] {
			err = d.net.Admit(who)
		}
		if err != nil {
			d.Log.Warn("admit who has the recovery words", "recovery", id, "error", err)
		}
	}
}
