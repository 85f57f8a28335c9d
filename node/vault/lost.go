package vault

import (
	"errors"
	"os"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/protocol/seal"
)

// noteLost notes the blocks that versions name and that are not in the index.
func (v *Vault) noteLost() error {
	if v.partial {
		return nil // they lie in the tree, as far as anybody knows
	}
	lost := map[entry.BlockID]bool{}
	err := v.eachLive(func(t *tables, _ recordKey, data []byte) error {
		return eachRef(data, func(id entry.BlockID) {
			if t.blocks.bolt.Get(id[:]) == nil {
				lost[id] = true
			}
		})
	})
	if err != nil || len(lost) == 0 {
		return err
	}
	v.log.Error("blocks of a vault are lost", "dir", v.dir, "blocks", len(lost))
	return v.update(func(t *tx) error {
		for id := range lost {
			if err := t.damage(kindBlock, id, shortSum{}, 0); err != nil {
				return err
			}
		}
		return nil
	})
}

// forgetLost takes back what noteLost has noted for an opener to whom it was a
// loss.
func (v *Vault) forgetLost() error {
	return v.update(func(t *tx) error {
		if t.st.counts.damaged == 0 {
			return nil
		}
		var lost []entry.BlockID
		err := t.damaged.each([]byte{byte(kindBlock)}, nil, func(key, _ []byte) (bool, error) {
			if len(key) == damageKeySize && shortSum(key[33:]) == (shortSum{}) {
				lost = append(lost, entry.BlockID(key[1:33]))
			}
			return true, nil
		})
		if err != nil {
			return err
		}
		for _, id := range lost {
			if err := t.healed(kindBlock, id, shortSum{}); err != nil {
				return err
			}
		}
		return nil
	})
}

// eachLive calls fn for the bytes of all versions that can be read, in the
// order of the disk. The tables are those of a view that ends with each pack.
func (v *Vault) eachLive(fn func(t *tables, key recordKey, data []byte) error) error {
	for _, id := range v.packIDs() {
		v.mu.Lock()
		row, ok := v.packs[id]
		v.mu.Unlock()
		if !ok || row.class != classRecords || row.retired {
			continue
		}
		err := v.view(func(t *tables) error {
			return v.scanAll(v.life, packFile{id: id, class: row.class, size: row.length}, looking{from: packHeader, found: func(e found) error {
				if e.kind != kindRecord || e.bad {
					return nil
				}
				key := keyOf(seal.RecordID(e.name[:16]), e.sum)
				r, ok, err := t.version(key)
				if err != nil || !ok || r.at != e.at {
					return err
				}
				return fn(t, key, e.data)
			}})
		})
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
