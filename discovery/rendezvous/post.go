package rendezvous

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// Publish leaves a notice for one device, that this one is at addrs: as many as
// fit, in their order, 16 at most. It is there for 48 hours under the key of
// this day, and replaces what was there. Within a minute it wraps [ErrKey] if
// the ID is not of a device, [ErrAddr] if no address is of use, [ErrAlone] or
// [ErrNotStored] if it has not come to any node.
func (b *Board) Publish(ctx context.Context, to peer.ID, addrs []ma.Multiaddr) error {
	err := b.publish(ctx, to, addrs)
	b.noted(func(h *Health) { h.Published, h.PublishError = outcome(h.Published, err) })
	if err != nil {
		return fmt.Errorf("publish for %q: %w", to.String(), err)
	}
	return nil
}

func (b *Board) publish(ctx context.Context, to peer.ID, addrs []ma.Multiaddr) error {
	own := b.key.Public().(ed25519.PublicKey)
	n, err := newNotice(own, addrs)
	if err != nil {
		return err
	}
	theirs, err := deviceKey(to)
	if err != nil {
		return err
	}
	secret, err := pairSecret(b.key, theirs)
	if err != nil {
		return err
	}
	s, err := noticeSlot(secret, dayOf(time.Now()), own, theirs)
	if err != nil {
		return err
	}
	return b.task(ctx, publishFor, func(ctx context.Context) error { return b.put(ctx, s, n, noticeLife) })
}

// put stores a notice in a slot. What is there may have a higher sequence, as
// this device's clock may have been ahead: then this one goes above it.
func (b *Board) put(ctx context.Context, s *slot, n notice, life time.Duration) error {
	n.sequence = b.sequence(s)
	var err error
	for range 3 {
		var raw []byte
		if raw, err = newRecord(s, n, time.Now().Add(life)); err != nil {
			return err
		}
		var t tally
		if t, err = b.store(ctx, s.key(), raw); err == nil && t.refused == 0 {
			b.seen(s, n.sequence)
			return nil
		}
		highest := b.highest(ctx, s)
		if highest < n.sequence {
			break // refused for another reason, or no node there to refuse
		}
		if highest == n.sequence && t.taken > 0 {
			err = nil
			break
		}
		n.sequence = highest + 1
	}
	if err == nil {
		b.seen(s, n.sequence)
	}
	return err
}

// store puts a record into the DHT, and tells how it has fared there. An error
// means that no node has it.
func (b *Board) store(ctx context.Context, key string, raw []byte) (tally, error) {
	b.courier.watch(key)
	err := b.dht.PutValue(ctx, key, raw)
	t := b.courier.fared(key)
	switch {
	case t.taken > 0:
		return t, nil
	case t.refused+t.lost > 0:
		return t, fmt.Errorf("%w: %d refused it, %d were not reached", ErrNotStored, t.refused, t.lost)
	case err != nil && b.alone():
		return t, errors.Join(ErrAlone, err)
	case err != nil:
		return t, errors.Join(ErrNotStored, err)
	}
	return t, ErrNotStored
}

// sequence is that of the next record in a slot: the time in milliseconds, or
// more if this device's clock has been ahead.
func (b *Board) sequence(s *slot) uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(uint64(max(0, time.Now().UnixMilli())), b.newest[s.key()]+1)
}

// seen notes the newest record of a slot.
func (b *Board) seen(s *slot, sequence uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.newest) >= maxNewest {
		clear(b.newest) // of days that are over, most of them
	}
	b.newest[s.key()] = max(b.newest[s.key()], sequence)
}

// maxNewest bounds the slots of which the newest record is remembered.
const maxNewest = 4096
