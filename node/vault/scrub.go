package vault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// Scrubbed is what a scrub has done.
type Scrubbed struct {
	Bytes int64 // that were read
	Bad   int64 // blocks and versions that were found to be damaged
	// Round tells that the end was reached: all that was there when the round
	// began has been read, and the next scrub begins anew.
	Round bool
	Began time.Time // the round, by the vault's clock
}

// Scrub reads on in the packs, from where the last one ended, up to about so
// many bytes, and compares everything with its checksum. What it finds damaged
// is noted ([Vault.Damaged]) and no longer given out or counted as held.
func (v *Vault) Scrub(ctx context.Context, bytes int64) (Scrubbed, error) {
	v.caring.Lock()
	defer v.caring.Unlock()
	v.mu.Lock()
	s := scrub{v: v, left: bytes, at: v.st.scrub, damaged: v.st.counts.damaged}
	v.mu.Unlock()
	if s.at.began == 0 {
		s.at.began = momentOf(v.clock())
	}
	s.done.Began = s.at.began.time()
	ctx, cancel := v.bound(ctx)
	defer cancel()
	err := s.run(ctx)
	if err2 := s.remember(); err == nil {
		err = err2
	}
	if err != nil {
		return s.done, fmt.Errorf("scrub vault %q: %w", v.dir, err)
	}
	return s.done, nil
}

// LastRound is when the last whole round of scrubs ended, zero if none has.
func (v *Vault) LastRound() time.Time {
	v.whole.RLock()
	defer v.whole.RUnlock()
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.st.scrub.done == 0 {
		return time.Time{}
	}
	return v.st.scrub.done.time()
}

// scrub is one call.
type scrub struct {
	v       *Vault
	left    int64
	at      scrubbing
	damaged uint64 // when it began
	away    error  // the store cannot be reached
	done    Scrubbed
}

func (s *scrub) run(ctx context.Context) error {
	for _, id := range s.v.packIDs() {
		if id < s.at.at.pack {
			continue
		}
		from := int64(packHeader)
		if id == s.at.at.pack {
			from = max(from, int64(s.at.at.offset))
		}
		if s.away != nil && s.v.isFar(id) {
			continue
		}
		s.at.at = location{id, uint32(from)}
		if err := s.pack(ctx, id, from); errors.Is(err, ErrStore) && ctx.Err() == nil {
			s.away = err // what lies here is read all the same
		} else if err != nil {
			return err
		}
		if s.left <= 0 {
			return nil
		}
	}
	if s.away != nil {
		s.at.at = location{}
		return s.away
	}
	s.at = scrubbing{done: momentOf(s.v.clock())}
	s.done.Round = true
	return nil
}

// remember writes where it stands.
func (s *scrub) remember() error {
	err := s.v.submit(func(t *tx) error {
		t.st.scrub = s.at
		return nil
	})
	s.v.mu.Lock()
	s.done.Bad = max(0, int64(s.v.st.counts.damaged)-int64(s.damaged))
	s.v.mu.Unlock()
	return err
}

// pack reads one pack from an offset on, until the budget is used up.
func (s *scrub) pack(ctx context.Context, id packID, from int64) error {
	s.v.mu.Lock()
	row := s.v.packs[id]
	s.v.mu.Unlock()
	if row.retired {
		return nil
	}
	var damaged [][2]int64
	err := s.v.scanAll(ctx, packFile{id: id, class: row.class, size: row.length}, looking{from: from, found: func(e found) error {
		if s.left <= 0 {
			return errEnough
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		s.left -= e.size()
		s.done.Bytes += e.size()
		s.at.at.offset = uint32(int64(e.at.offset) + e.size())
		if e.bad {
			damaged = append(damaged, [2]int64{int64(e.at.offset), int64(e.at.offset) + e.size()})
		}
		return nil
	}, gap: func(begin, end int64) {
		damaged = append(damaged, [2]int64{begin, end})
	}})
	if errors.Is(err, errEnough) {
		err = nil
	}
	if errors.Is(err, os.ErrNotExist) {
		damaged, err = append(damaged, [2]int64{0, row.length}), nil
	}
	if len(damaged) > 0 {
		err = errors.Join(err, s.lost(ctx, id, damaged))
	}
	return err
}

// lost notes all that the index knows to lie in damaged parts of a pack. What
// came from the store is had once more before: it may have been damaged on its
// way.
func (s *scrub) lost(ctx context.Context, id packID, parts [][2]int64) error {
	if s.v.isFar(id) {
		return s.lostFar(ctx, id, parts)
	}
	return s.v.submit(func(t *tx) error {
		return t.inParts(id, parts, func(l living) error { return t.entryIsBad(&l) })
	})
}

func (s *scrub) lostFar(ctx context.Context, id packID, parts [][2]int64) error {
	var bad []living
	err := s.v.reader(func(t *tables) error {
		return t.inParts(id, parts, func(l living) error { bad = append(bad, l); return nil })
	})
	if err != nil {
		return err
	}
	still := bad[:0]
	for _, l := range bad {
		_, _, err := s.v.farEntry(ctx, classBlocks, l.at, l.length)
		if errors.Is(err, errBad) {
			still = append(still, l)
		} else if err != nil {
			return err
		}
	}
	return s.v.submit(func(t *tx) error {
		for i := range still {
			if err := t.entryIsBad(&still[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// inParts calls fn for what the index knows to lie in parts of a pack.
func (t *tables) inParts(id packID, parts [][2]int64, fn func(living) error) error {
	return t.living(map[packID]bool{id: true}, func(l living) error {
		begin, end := int64(l.at.offset), int64(l.at.offset)+l.size()
		for _, p := range parts {
			if begin < p[1] && end > p[0] {
				return fn(l)
			}
		}
		return nil
	})
}
