package rendezvous

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// Find looks for notices of one device for this one: of today and, if there is
// none, of the days before and after, as clocks differ. It calls found with the
// addresses of each that it finds, one at a time, the newest last, and returns
// when all nodes near have been asked, within 30 seconds. What is not of that
// device, damaged, or older than what was found before is not told. It wraps
// [ErrKey], [ErrAlone], or [ErrNothing] with the reason why what was there is
// not believed, if there was anything.
func (b *Board) Find(ctx context.Context, of peer.ID, found func([]ma.Multiaddr)) error {
	err := b.find(ctx, of, found)
	now := time.Now()
	b.noted(func(h *Health) {
		h.Looked, h.LookError = now, ""
		if err == nil {
			h.Found = now
		} else if !errors.Is(err, ErrNothing) {
			h.LookError = err.Error()
		}
	})
	if err != nil {
		return fmt.Errorf("find %q: %w", of.String(), err)
	}
	return nil
}

func (b *Board) find(ctx context.Context, of peer.ID, found func([]ma.Multiaddr)) error {
	theirs, err := deviceKey(of)
	if err != nil {
		return err
	}
	secret, err := pairSecret(b.key, theirs)
	if err != nil {
		return err
	}
	own := b.key.Public().(ed25519.PublicKey)
	at := func(day Day) (*slot, error) { return noticeSlot(secret, day, theirs, own) }
	tell := func(n notice) error {
		if !bytes.Equal(n.device, theirs) {
			return fmt.Errorf("%w: it is about another device", ErrNotice)
		}
		found(n.addrs)
		return nil
	}
	return b.task(ctx, findFor, func(ctx context.Context) error { return b.searchDays(ctx, at, tell) })
}

// searchDays searches the slot of today and, if nothing is there, those of the
// days around it.
func (b *Board) searchDays(ctx context.Context, at func(Day) (*slot, error), tell func(notice) error) error {
	today := dayOf(time.Now())
	s, err := at(today)
	if err != nil {
		return err
	}
	err = b.search(ctx, s, tell)
	if !errors.Is(err, ErrNothing) {
		return err
	}
	var mu sync.Mutex
	one := func(n notice) error {
		mu.Lock()
		defer mu.Unlock()
		return tell(n)
	}
	days := []Day{today + 1}
	if today > 0 {
		days = append(days, today-1)
	}
	errs := make([]error, len(days))
	var both sync.WaitGroup
	for i, day := range days {
		both.Go(func() {
			other, err := at(day)
			if err == nil {
				err = b.search(ctx, other, one)
			}
			errs[i] = err
		})
	}
	both.Wait()
	for _, e := range errs {
		if e == nil {
			return nil
		}
	}
	return errors.Join(append(errs, err)...)
}

// search looks into one slot.
func (b *Board) search(ctx context.Context, s *slot, tell func(notice) error) error {
	values, err := b.dht.SearchValue(ctx, s.key())
	if err != nil {
		return fmt.Errorf("search the DHT: %w", err)
	}
	any := false
	var refused error
	for raw := range values {
		n, err := b.accept(s, raw)
		if err == nil {
			err = tell(n)
		}
		if err != nil {
			refused = errors.Join(refused, err)
			continue
		}
		any = true
	}
	switch {
	case any:
		return nil
	case refused != nil:
		b.noted(func(h *Health) { h.Refused++; h.RefusedWhy = refused.Error() })
		return fmt.Errorf("%w: %w", ErrNothing, refused)
	case ctx.Err() != nil:
		return ctx.Err()
	case b.alone():
		return ErrAlone
	}
	return ErrNothing
}

// accept opens a record that was found, if it is no older than the newest.
func (b *Board) accept(s *slot, raw []byte) (notice, error) {
	n, err := openRecord(s, raw)
	if err != nil || s.shared {
		return n, err
	}
	b.mu.Lock()
	newest := b.newest[s.key()]
	b.mu.Unlock()
	if n.sequence < newest {
		return notice{}, fmt.Errorf("%w: sequence %d after %d", ErrReplayed, n.sequence, newest)
	}
	b.seen(s, n.sequence)
	return n, nil
}

// highest is the highest sequence in a slot, whoever wrote it.
func (b *Board) highest(ctx context.Context, s *slot) uint64 {
	values, err := b.dht.SearchValue(ctx, s.key())
	if err != nil {
		return 0
	}
	var out uint64
	for raw := range values {
		if n, err := openRecord(s, raw); err == nil {
			out = max(out, n.sequence)
		}
	}
	return out
}
