package vault

import (
	"sync"
	"time"

	"github.com/kithmesh/kith/index/entry"
)

// lentTime is for how long at least a block stays that was put, or asked for,
// whatever room is needed: who did so is about to put a record that names it.
const lentTime = 10 * time.Minute

// lent remembers which blocks of a rolling vault were put, asked for or named
// of late. One that is partial would take the record without them.
type lent struct {
	// dropping is held for writing while blocks are dropped to make room, and
	// for reading by who tells that some are held.
	dropping sync.RWMutex

	mu         sync.Mutex
	young, old blockSet
	since      moment // the young ones
}

// lend keeps a block for a while.
func (v *Vault) lend(id entry.BlockID) {
	if !v.rolling {
		return
	}
	l := &v.lent
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn(momentOf(v.clock()))
	l.young.add(id)
}

// isLent tells whether a block is to stay for a while.
func (v *Vault) isLent(id entry.BlockID) bool {
	l := &v.lent
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn(momentOf(v.clock()))
	return l.young.has(id) || l.old.has(id)
}

// turn forgets what was lent long ago. A clock that was set makes it forget
// later.
func (l *lent) turn(now moment) {
	const most = moment(lentTime / time.Microsecond)
	switch age := now - l.since; {
	case l.since == 0 || age < 0:
		l.since = now
	case age >= 2*most:
		l.young, l.old, l.since = blockSet{}, blockSet{}, now
	case age >= most:
		l.young, l.old, l.since = blockSet{}, l.young, now
	}
}
