package folder

import (
	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/folder/merge"
)

// An absent row says that this device knows a version and does not hold it: it
// was freed, is not chosen to lie here, or was deleted here by a role whose
// deletes stay here. It makes no promises: it neither joins nor keeps, and
// gives way to whatever version wins.

// hearAbsent is hearOne for a path whose content stays away. It reports false
// if the path is to be treated like any other.
func (a *actor) hearAbsent(x *index.Folder, d entry.DeviceID, n heard, l *entry.Entry) (done bool, err error) {
	r := n.entry
	if l == nil || !l.Absent {
		if r.Kind != entry.File || a.choices.Of(r.Path).Here || !takes(a.role) || l != nil || !a.scanned || a.onDiskToo(r.Path) {
			return false, nil
		}
		w, err := x.Wanted(r.Path)
		if err != nil || len(w) > 0 {
			return false, err
		}
		return true, a.know(x, d, r)
	}
	w, err := x.Wanted(l.Path)
	if err != nil {
		return false, err
	}
	dev, err := x.Local(l.Path)
	if err != nil {
		return false, err
	}
	order := r.Version.Compare(l.Version)
	edited := dev != nil && dev.Lives()
	switch {
	case order == version.Before:
		return true, nil
	case len(w) > 0 || edited && order != version.Equal:
		// It is on its way here, or has to pass what lies here instead.
		return true, a.changeWanted(x, r.Path, func(w []merge.Want) []merge.Want { return merge.Remember(w, r, d, n.sequence) })
	case order == version.Concurrent && l.Version.Beats(r.Version) && l.SamePayload(r):
		both := *l // nothing is to be kept; and who holds it is to know of l
		both.Version, both.Unseen = l.Version.Join(r.Version), unseen(l, r)
		_, err := x.Put(&both)
		return true, err
	case order == version.Equal, order == version.Concurrent && l.Version.Beats(r.Version):
		return true, nil
	case r.Kind == entry.File, r.Kind == entry.Deleted, r.Kind == l.Kind:
		return true, a.know(x, d, r)
	}
	return false, nil // a name that is to lie here: a directory, a symlink
}

// hearWithout remembers that a member knows a version and does not hold its
// content. Nothing is to be had from it; but where just that lies here under
// another version, as it does when this index was lost, the two are one.
func (a *actor) hearWithout(x *index.Folder, d entry.DeviceID, r, l *entry.Entry) error {
	if l != nil && l.Lives() && !l.Absent && l.SamePayload(r) {
		v := r.Version
		if !l.Unknown {
			v = l.Version.Join(v)
		}
		if v.Vector.Compare(l.Version.Vector) != version.Equal {
			return a.adoptVersion(x, l, r, v)
		}
	}
	return a.changeWanted(x, r.Path, func(w []merge.Want) []merge.Want { return merge.Withdraw(w, d) })
}

// know takes note of a version whose content stays away.
func (a *actor) know(x *index.Folder, d entry.DeviceID, r *entry.Entry) error {
	e := *r
	e.Absent = e.Lives()
	if _, err := x.Put(&e); err != nil {
		return err
	}
	a.echoes.learnt(d, &e)
	return nil
}

// onDiskToo is onDisk where there may be no disk: then anything may be there.
func (a *actor) onDiskToo(p entry.Path) bool { return a.disk == nil || a.onDisk(p) }

// staysAway makes an item one that only takes note of a version, where the
// path is not chosen to lie here and nothing lies there.
func (a *actor) staysAway(it *item) bool {
	l, r := it.here(), it.remote
	if a.choices.Of(it.path).Here || it.deviation != nil || l != nil && l.Lives() || a.onDisk(it.path) {
		return false
	}
	if l := it.local; l != nil && l.Absent {
		order := r.Version.Compare(l.Version)
		if order == version.Equal {
			return true // it was asked for, and is no longer
		}
		it.absent = r.Kind == entry.File && (order == version.After || order == version.Concurrent && r.Version.Beats(l.Version))
		if it.absent {
			it.choice = merge.Decision{Action: merge.Adopt, Version: r.Version}
		}
		return r.Kind == entry.File
	}
	if r.Kind != entry.File {
		return false
	}
	it.choice = a.around.decide(it.local, it.remote, false)
	it.absent = it.choice.Action == merge.Adopt && it.choice.Keep == nil
	return it.absent || it.choice.Action == merge.Forget
}

// recordFound completes n, found where e is absent: either it is the same and
// so is here again, or somebody made something new without having the old
// before their eyes. Then those who hold the old keep it.
func (a *actor) recordFound(x *index.Folder, e, n *entry.Entry) error {
	if e.SamePayload(n) {
		n.Version, n.AuthorName, n.Epoch, n.Unseen = e.Version, e.AuthorName, e.Epoch, e.Unseen
		return nil
	}
	n.Unseen = unseen(e)
	if !e.SameContent(n) {
		n.Unseen = unseenOver(e)
	}
	var err error
	n.Version, err = a.event(x, e.Version)
	return err
}

// unseen is what a version that follows on these has superseded unseen: all
// that they have. To have been seen by who follows makes nothing of it seen by
// those who hold it, and may hear of the last version only.
func unseen(all ...*entry.Entry) (v version.Vector) {
	for _, e := range all {
		if e != nil && len(e.Unseen) > 0 {
			v = v.Join(e.Unseen)
		}
	}
	return v
}

// unseenOver is what a change at the path of e supersedes unseen that has not
// its content: e itself, too, if that does not lie here.
func unseenOver(e *entry.Entry) version.Vector {
	if e != nil && e.Absent && merge.HoldsContent(e) {
		return e.Version.Vector
	}
	return unseen(e)
}

// unseenBy is what version v has superseded unseen, which is that of r or one
// that has seen both l and r.
func unseenBy(v version.Version, l, r *entry.Entry) version.Vector {
	if l == nil || v.Vector.Compare(r.Version.Vector) == version.Equal {
		return unseen(r)
	}
	return unseen(l, r)
}

// staysElsewhere records a delete that is none elsewhere: of an archive, which
// frees its space so, and of a directory in which others hold what is not
// here.
func (a *actor) staysElsewhere(x *index.Folder, e *entry.Entry) (bool, error) {
	if a.role != entry.RoleArchive {
		holds, err := a.holdsAbsent(x, e)
		if !holds || err != nil {
			return false, err
		}
	}
	n := *e
	n.Absent, n.Disk = true, entry.Disk{}
	if _, err := x.Put(&n); err != nil || e.Kind != entry.File {
		return true, err
	}
	return true, a.knowWanted(x, &n)
}

// knowWanted takes note of what is wanted of a path whose content has just been
// freed, l being its row: or it would come to where its bytes are not wanted.
func (a *actor) knowWanted(x *index.Folder, l *entry.Entry) error {
	w, err := x.Wanted(l.Path)
	if err != nil || len(w) == 0 {
		return err
	}
	top, _ := merge.Best(toWants(w), func(merge.Want) bool { return true })
	if k := top.Entry.Kind; k != entry.File && k != entry.Deleted {
		return nil // a name that is to lie here
	}
	if order := top.Entry.Version.Compare(l.Version); order == version.After || order == version.Concurrent && top.Entry.Version.Beats(l.Version) {
		e := *top.Entry
		e.Absent = e.Lives()
		if _, err := x.Put(&e); err != nil {
			return err
		}
	}
	return a.changeWanted(x, l.Path, func([]merge.Want) []merge.Want { return nil })
}

// holdsAbsent tells whether e is a directory below which something lives whose
// content is not here: who deletes the names that are left does not mean it.
func (a *actor) holdsAbsent(x *index.Folder, e *entry.Entry) (bool, error) {
	if e.Kind != entry.Directory || x.Totals().Absent == 0 {
		return false, nil
	}
	for below, err := range x.Below(e.Path) {
		if err != nil {
			return false, err
		}
		if below.Lives() && below.Absent {
			return true, nil
		}
	}
	return false, nil
}
