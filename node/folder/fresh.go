package folder

import (
	"time"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
)

const (
	// freshTold is up to how many changes a member may tell at once for them to
	// count as fresh: somebody is at work, and waits for them. More are bulk.
	freshTold = 64
	// freshPaths and freshBytes bound what may overtake, all of it and in one
	// batch.
	freshPaths = 256
	freshBytes = 256 << 10
	// freshBatches may be under way beside maxBatches.
	freshBatches = 1
)

// fresh are paths of which a member has just told, in the order in which it
// did. All of them are wanted like any others, and the pass comes to them, too.
type fresh []entry.Path

func (f *fresh) add(news []heard) {
	if len(news) > freshTold {
		return
	}
	for _, n := range news {
		*f = append(*f, n.entry.Path)
	}
	if len(*f) > freshPaths {
		*f = nil // many small lots are bulk, too
	}
}

// overtake starts on what is fresh and small, while all batches are taken by
// what may be under way for long.
func (a *actor) overtake(now time.Time) {
	if len(a.fresh) == 0 || a.inflight.batches < maxBatches || a.inflight.batches >= maxBatches+freshBatches || !a.applying() {
		return
	}
	a.hold(now)
	a.pass.kin = nil
	c, rest := &cut{}, fresh(nil)
	err := a.view(func(x *index.Folder) error {
		for _, p := range a.fresh {
			w, err := x.Wanted(p)
			if err != nil {
				return err
			}
			if len(w) == 0 {
				continue
			}
			if c.bytes >= freshBytes {
				rest = append(rest, p)
				continue
			}
			it, err := a.consider(x, toWants(w), now)
			if err != nil {
				return err
			}
			if it != nil && it.size() <= freshBytes && a.fits(x, it) {
				a.take(c, it)
			}
		}
		return nil
	})
	if a.fresh = rest; err != nil {
		a.fresh = nil
	}
	a.readMisread()
	a.forget(c.forget)
	if len(c.items) > 0 {
		a.launch(&batch{items: c.items, disk: a.disk})
	}
}
