package folder

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/folder/merge"
	"github.com/kithmesh/kith/node/tree"
)

// apply makes a path on disk what was decided, and notes what it is then.
func (a *actor) apply(it *item) bool {
	var err error
	switch it.choice.Action {
	case merge.Join:
		e := *it.local
		e.Version, e.Unknown = it.choice.Version, false
		e.AuthorName, e.Unseen = it.authorName(), unseenBy(e.Version, it.local, it.remote)
		it.result = &e
	case merge.Revive:
		e := *it.local
		e.Unknown, e.Epoch, e.Unseen = false, a.epochFor(it.local), unseen(it.local, it.remote)
		it.result = &e
	case merge.Stay:
		it.result, err = a.applyStay(it)
	case merge.Adopt:
		it.result, err = a.applyAdopt(it)
	case merge.Forget:
		return false
	}
	if err != nil {
		a.trouble(it, fmt.Errorf("apply %q: %w", it.path, err))
		return false
	}
	return true
}

// epochFor is the epoch whose keys name the blocks of e.
func (a *actor) epochFor(e *entry.Entry) entry.Epoch {
	if e.Epoch != 0 {
		return e.Epoch
	}
	return a.epoch()
}

// authorName is the name that belongs to the author of the decided version.
func (it *item) authorName() string {
	if it.local != nil && it.choice.Version.Author != it.remote.Version.Author {
		return it.local.AuthorName
	}
	return it.remote.AuthorName
}

// applyStay makes sure that there is a directory.
func (a *actor) applyStay(it *item) (*entry.Entry, error) {
	e := &entry.Entry{Path: it.path, Kind: entry.Directory, Mode: 0o755, Epoch: a.epoch(), Unseen: unseen(it.local, it.remote)}
	if l := it.here(); l != nil && l.Kind == entry.Directory {
		e.Mode, e.Disk = l.Mode, l.Disk
		return e, nil
	}
	st, err := a.disk.tree.Mkdir(it.path, e.Mode)
	e.Mode, e.Disk = st.Mode, st.Disk
	return e, err
}

// applyAdopt gives the path the remote payload.
func (a *actor) applyAdopt(it *item) (*entry.Entry, error) {
	e := *it.remote
	e.Version, e.AuthorName = it.choice.Version, it.authorName()
	e.Unseen = unseenBy(e.Version, it.local, it.remote)
	if it.absent || it.deviates {
		e.Absent = it.absent
		return &e, nil
	}
	var expect *tree.Stat
	if l := it.here(); l != nil && l.Lives() {
		st := tree.StatOf(l)
		expect = &st
	}
	var st tree.Stat
	var err error
	switch e.Kind {
	case entry.Deleted:
		st.Disk, err = a.applyDelete(it, expect)
	case entry.Directory:
		st, err = a.applyDirectory(it, expect)
	case entry.File, entry.Symlink:
		st, err = a.applyContent(it, expect)
	}
	e.Disk = st.Disk
	return &e, err
}

// applyContent puts a file or a symlink in place.
func (a *actor) applyContent(it *item, expect *tree.Stat) (tree.Stat, error) {
	t, meta := a.disk.tree, metaOf(it.remote)
	switch {
	case it.from != nil:
		return t.Move(it.from.Path, it.path, tree.StatOf(it.from), meta)
	case it.job == nil:
		return t.SetMeta(it.path, meta, *expect)
	}
	return t.Place(it.path, it.job.Staged, meta, expect)
}

func metaOf(e *entry.Entry) tree.Meta { return tree.Meta{Mode: e.Mode, ModTime: e.ModTime} }

// applyDirectory makes a directory, in place of a file if there is one: that
// is superseded, or lies beside it by now.
func (a *actor) applyDirectory(it *item, expect *tree.Stat) (tree.Stat, error) {
	t := a.disk.tree
	switch {
	case expect != nil && expect.Kind == entry.Directory:
		return t.SetMeta(it.path, metaOf(it.remote), *expect)
	case expect != nil:
		if err := t.Remove(it.path, *expect); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return tree.Stat{}, err
		}
	case a.leftover(it.here()):
		now, err := t.Lstat(it.path)
		if err != nil {
			return tree.Stat{}, err
		}
		return t.SetMeta(it.path, metaOf(it.remote), now)
	}
	return t.Mkdir(it.path, it.remote.Mode)
}

// leftover tells whether a deleted directory still lies there, since ignored
// files lie in it.
func (a *actor) leftover(l *entry.Entry) bool {
	if l == nil || l.Lives() || l.Disk.Inode == 0 {
		return false
	}
	st, err := a.disk.tree.Lstat(l.Path)
	return err == nil && st.Kind == entry.Directory && st.Disk.Inode == l.Disk.Inode
}

// applyDelete removes what is at the path. A directory in which only ignored
// files lie stays on disk, and is remembered as left over.
func (a *actor) applyDelete(it *item, expect *tree.Stat) (entry.Disk, error) {
	t := a.disk.tree
	if expect == nil {
		_, err := t.Lstat(it.path)
		switch {
		case errors.Is(err, fs.ErrNotExist), err == nil && !a.disk.spelled(it.path):
			return entry.Disk{}, nil
		case err != nil:
			return entry.Disk{}, err
		case a.leftover(it.here()):
			return it.here().Disk, nil
		}
		return entry.Disk{}, tree.ErrExists
	}
	err := t.Remove(it.path, *expect)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return entry.Disk{}, nil
	case errors.Is(err, tree.ErrNotEmpty) && a.onlyIgnored(it.path):
		st, err := t.Lstat(it.path)
		return entry.Disk{Inode: st.Disk.Inode}, err
	}
	return entry.Disk{}, err
}

// onlyIgnored tells whether nothing but ignored files lies in a directory.
func (a *actor) onlyIgnored(p entry.Path) bool {
	children, err := a.disk.tree.List(p)
	if err != nil {
		return false
	}
	for _, c := range children {
		ignored, _, err := a.disk.ignores.Match(p.Join(c.Name), c.Stat.Kind == entry.Directory)
		if err != nil || !ignored && !a.leftoverAt(p.Join(c.Name)) {
			return false
		}
	}
	return true
}

func (a *actor) leftoverAt(p entry.Path) bool {
	var e *entry.Entry
	err := a.view(func(x *index.Folder) (err error) { e, err = x.Get(p); return err })
	return err == nil && a.leftover(e)
}
