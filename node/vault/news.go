package vault

import (
	"encoding/binary"
	"fmt"
	"iter"
	"slices"

	"github.com/kithmesh/kith/index/entry"
)

// News is [Vault.Since] without the versions that have been superseded by
// others which are held: what somebody needs to hear who wants the present and
// knows all up to a sequence number. The loop gets an error once, as its last
// turn.
func (v *Vault) News(after entry.Sequence) iter.Seq2[Held, error] { return v.NewsBut(after, "") }

// NewsBut is [Vault.News] without what one device gave, which need not be told
// that; empty is none.
func (v *Vault) NewsBut(after entry.Sequence, from entry.DeviceID) iter.Seq2[Held, error] {
	return func(yield func(Held, error) bool) {
		last := uint64(after)
		for done := false; !done; {
			batch, err := v.read(func(t *tables, got func(held) error) error {
				n := rowBatch / 8
				done = true
				told := v.giverCode(from)
				return t.sequence.each(nil, sequenceKey(last+1), func(key, row []byte) (bool, error) {
					if n < 0 {
						done = false
						return false, nil
					}
					last = binary.BigEndian.Uint64(key)
					n--
					one, newest, err := t.newest(recordKey(row))
					if err != nil || !newest || one.row.giver == told {
						return err == nil, err
					}
					n -= int(one.row.length) / longRecord
					return true, got(one)
				})
			})
			if err != nil {
				yield(Held{}, fmt.Errorf("what is new in vault %q after %d: %w", v.dir, after, err))
				return
			}
			for i := range batch {
				if !yield(batch[i], nil) {
					return
				}
			}
		}
	}
}

// giverCode is the number of a device, unknownGiver if it has none.
func (v *Vault) giverCode(d entry.DeviceID) giver {
	v.mu.Lock()
	defer v.mu.Unlock()
	if c, ok := v.givers.codes[d]; ok && d != "" {
		return c
	}
	return unknownGiver
}

// newest is the version of a key, and whether no other has superseded it.
func (t *tables) newest(key recordKey) (held, bool, error) {
	id := key.id()
	vs, err := t.versionsOf(id)
	if err != nil {
		return held{}, false, err
	}
	i := slices.IndexFunc(vs, func(h held) bool { return h.key == key })
	if i < 0 {
		return held{}, false, fmt.Errorf("%w: record %s is not there", ErrIndex, id)
	}
	return vs[i], vs[i].until == maxMoment, nil
}
