package folder

import (
	"context"
	"errors"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// ErrNotFenced: there is nothing to end.
var ErrNotFenced = errors.New("the folder is not fenced")

// GoOn ends the fence: the index goes on as a new replica with a new epoch.
//
// What this device has changed since it last told anybody may bear numbers that
// stood for something else before the index was set back. So these entries are
// disowned: what lies on disk is then of unknown history, which takes the
// version of whoever has the same, is kept beside what others know, and is a
// change where nobody knows of it. All other entries keep their versions, which
// others may have superseded since.
func (f *Folder) GoOn(ctx context.Context) error {
	var failed error
	err := f.do(ctx, func(a *actor) {
		if !a.fenced {
			failed = ErrNotFenced
			return
		}
		failed = a.update(func(x *index.Folder) error {
			if err := disown(x); err != nil {
				return err
			}
			if err := x.Renew(version.ReplicaID(a.around.random()), a.around.random()); err != nil {
				return err
			}
			return a.forgetPeers(x)
		})
		if failed != nil {
			return
		}
		a.fenced, a.scanned, a.settled, a.stale = false, false, false, true
		a.recount = true
		clear(a.copies)
		a.silent.Store(false)
		a.recheck("", true)
		for _, d := range a.roll.inOrder() {
			a.listen(a.roll[d])
		}
		a.pass.again = true
		a.Log.Info("the folder goes on as a new replica")
	})
	return errors.Join(err, failed)
}

// disown forgets the versions that this device made and, as far as its index
// knows, told nobody.
func disown(x *index.Folder) error {
	var told entry.Sequence
	for _, p := range x.Peers() {
		if p.Ours == x.Epoch() {
			told = max(told, p.TheyReceived)
		}
	}
	var own []entry.Path
	for e, err := range x.Since(told) {
		if err != nil {
			return err
		}
		if e.Version.Vector.Count(x.Replica()) > 0 {
			own = append(own, e.Path)
		}
	}
	for _, p := range own {
		if err := x.Disown(p); err != nil {
			return err
		}
	}
	return x.SetJoined(false)
}

// forgetPeers begins anew with all members: they hear this index from its
// beginning, and it hears theirs.
func (a *actor) forgetPeers(x *index.Folder) error {
	for d := range x.Peers() {
		p, err := x.Peer(d)
		if err != nil {
			return err
		}
		p.Session, p.SessionSeen = 0, 0
		p.Ours, p.TheyReceived, p.TheyHold, p.Received = x.Epoch(), 0, 0, 0
		if err := x.SetPeer(d, p); err != nil {
			return err
		}
		if m := a.roll[d]; m != nil {
			m.peer, m.anew = p, true
		}
	}
	return nil
}
