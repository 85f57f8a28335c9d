package folder

import (
	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/folder/merge"
)

// This file tells what only moves: a file whose content is wanted at another
// path is to be there until that was taken from it.

// neededBeside tells whether content is wanted at a path that does not itself
// wait for p to go: a file that takes the place of a directory does.
func (a *actor) neededBeside(x *index.Folder, p entry.Path, d entry.Digest) (bool, error) {
	n := a.needed[d]
	for up := p.Parent(); n > 0 && up != ""; up = up.Parent() {
		w, err := x.Wanted(up)
		if err != nil {
			return false, err
		}
		for i := range w {
			if e := &w[i].Entry; e.Kind == entry.File && len(e.Blocks) > 0 && e.Digest() == d {
				n--
			}
		}
	}
	return n > 0, nil
}

// findMove looks for a file that has just the content, and is to go: then it
// only has to be moved. If there is a file but no word yet of its going, and a
// member has more to tell, that word may be on its way.
func (a *actor) findMove(x *index.Folder, it *item) (wait bool, err error) {
	n := 0
	for o := range x.FindContent(it.remote) {
		if n++; n > maxSameFiles {
			it.copied = true
			break
		}
		it.copied = it.copied || o.Path != it.path && !a.brake.meter.Own(it.remote.AuthorName, o.Path)
		if o.Path == it.path || o.Unknown || a.inflight.has(o.Path) {
			continue
		}
		if a.dirty.has(o.Path) || a.going.has(o.Path) {
			wait = true // it may not be there any more
			continue
		}
		wants, err := x.Wanted(o.Path)
		if err != nil {
			return false, err
		}
		gone, ok := merge.Best(toWants(wants), func(merge.Want) bool { return true })
		if !ok || gone.Entry.Kind != entry.Deleted {
			wait = wait || !a.caughtUp()
			continue
		}
		if d := a.around.decide(o, gone.Entry, false); d.Action == merge.Adopt && d.Keep == nil {
			it.from, it.fromGone, it.fromChoice = o, gone.Entry, d
			return false, nil
		}
	}
	return wait, nil
}
