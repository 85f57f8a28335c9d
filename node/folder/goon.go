package folder

import (
	"context"
	"errors"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/version"
)

// ErrNotFenced: there is nothing to end.
var ErrNotFenced = errors.New("the folder is not fenced")

// GoOn ends the fence: the index goes on as a new replica with a new epoch. Its
// entries keep the versions that they had, which others may have superseded
// since, and all that lies on disk is looked at anew. Where that is newer than
// the index, it becomes a change of the new replica: the same content merges
// without a trace, and other content is kept beside.
func (f *Folder) GoOn(ctx context.Context) error {
	var failed error
	err := f.do(ctx, func(a *actor) {
		if !a.fenced {
			failed = ErrNotFenced
			return
		}
		failed = a.update(func(x *index.Folder) error {
			if err := x.Renew(version.ReplicaID(a.around.random()), a.around.random()); err != nil {
				return err
			}
			return a.forgetPeers(x)
		})
		if failed != nil {
			return
		}
		a.fenced, a.scanned, a.stale = false, false, true
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

// forgetPeers begins anew with all members: they hear this index from its
// beginning, and it hears theirs.
func (a *actor) forgetPeers(x *index.Folder) error {
	for d := range x.Peers() {
		p, err := x.Peer(d)
		if err != nil {
			return err
		}
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
