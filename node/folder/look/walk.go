package look

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/tree"
	"github.com/kithmesh/kith/node/tree/ignore"
)

// walk is one look on its way: the merge-join of disk and index.
type walk struct {
	*Looker
	ctx     context.Context
	out     *batcher
	read    func(Finding) error // reads the content and reports
	rows    *rows
	missing []Finding
}

func (w *walk) all(targets []Target) error {
	for _, t := range targets {
		if err := w.target(t); err != nil {
			return err
		}
	}
	return nil
}

// target looks at one path, and below it where asked or where it is new.
func (w *walk) target(t Target) error {
	if t.Path == "" {
		w.rows = &rows{db: w.DB, folder: w.Folder}
		rules, err := w.Ignores.In("")
		if err != nil {
			return err
		}
		_, err = w.directory("", rules)
		return err
	}
	st, err := w.Tree.Lstat(t.Path)
	var spelled *tree.SpelledError
	switch {
	case errors.As(err, &spelled) && spelled.Is != "" && spelled.Is != t.Path:
		// Someone said the name, or that of a directory above, in another way.
		if err := w.gone(t.Path); err != nil {
			return err
		}
		return w.target(Target{Path: spelled.Is, Below: t.Below || spelled.Path != t.Path})
	case errors.Is(err, fs.ErrNotExist):
		return w.gone(t.Path)
	case err != nil:
		return w.out.add(Finding{Path: t.Path, Err: err})
	case w.Spelled != nil && !w.Spelled(t.Path):
		return w.gone(t.Path)
	}
	rules, ignored, err := w.Ignores.above(t.Path, st.Kind == entry.Directory)
	if err != nil || ignored {
		return err
	}
	w.rows = &rows{db: w.DB, folder: w.Folder, next: t.Path}
	row, ok, err := w.rows.peek()
	if err != nil {
		return err
	}
	known := ok && row.Path == t.Path
	if known {
		w.rows.take()
	}
	if !known || row.Kind != st.Kind {
		t.Below = true // whatever was or is below is news too
	}
	if st.Kind == entry.Directory && t.Below {
		_, err := w.subtree(t.Path, st, row, known, rules)
		return err
	}
	if err := w.compare(t.Path, st, row, known); err != nil || !t.Below {
		return err
	}
	return w.rest(t.Path)
}

// gone reports that a path, and all that the index has below it, is missing.
func (w *walk) gone(p entry.Path) error {
	w.rows = &rows{db: w.DB, folder: w.Folder, next: p}
	if row, ok, err := w.rows.peek(); err != nil {
		return err
	} else if ok && row.Path == p {
		w.rows.take()
		if err := w.lost(row); err != nil {
			return err
		}
	}
	return w.rest(p)
}

// rest reports as missing all rows below a path that are still to come.
func (w *walk) rest(p entry.Path) error {
	for {
		row, ok, err := w.rows.peek()
		if err != nil || !ok || !row.Path.Below(p) {
			return err
		}
		w.rows.take()
		if err := w.lost(row); err != nil {
			return err
		}
	}
}

// lost notes a row whose path is not on disk. What is ignored is left alone,
// as un-choosing a file is never a delete.
func (w *walk) lost(row index.Light) error {
	if row.Kind == entry.Deleted || row.Absent {
		return nil
	}
	_, ignored, err := w.Ignores.above(row.Path, row.Kind == entry.Directory)
	if err != nil || ignored {
		return err
	}
	w.missing = append(w.missing, Finding{Path: row.Path, Seen: row.Sequence})
	return nil
}

// directory looks at all in a directory whose own row has been taken. It
// tells whether anything that is not ignored lies in it.
func (w *walk) directory(dir entry.Path, above *ignore.Set) (lives bool, err error) {
	if err := w.ctx.Err(); err != nil {
		return false, err
	}
	children, err := w.Tree.List(dir)
	if err != nil {
		return true, w.unreadable(dir, err)
	}
	rules, err := w.Ignores.in(dir, above, children)
	if err != nil {
		return true, err
	}
	for _, c := range children {
		p := dir.Join(c.Name)
		if err := w.before(p); err != nil {
			return lives, err
		}
		l, err := w.child(p, c.Stat, rules)
		if err != nil {
			return lives, err
		}
		lives = lives || l
	}
	if dir == "" {
		return lives, w.restOfAll()
	}
	return lives, w.rest(dir)
}

func (w *walk) restOfAll() error {
	for {
		row, ok, err := w.rows.peek()
		if err != nil || !ok {
			return err
		}
		w.rows.take()
		if err := w.lost(row); err != nil {
			return err
		}
	}
}

// before takes the rows that come before p in the walk: what they name is not
// on disk.
func (w *walk) before(p entry.Path) error {
	for {
		row, ok, err := w.rows.peek()
		if err != nil || !ok || row.Path.Compare(p) >= 0 {
			return err
		}
		w.rows.take()
		if err := w.lost(row); err != nil {
			return err
		}
	}
}

// child looks at one child of a directory, and below it.
func (w *walk) child(p entry.Path, st tree.Stat, rules *ignore.Set) (lives bool, err error) {
	if ignored, _ := rules.Match(p, st.Kind == entry.Directory); ignored {
		return false, w.pass(p)
	}
	row, known, err := w.rows.peek()
	if err != nil {
		return true, err
	}
	known = known && row.Path == p
	if known {
		w.rows.take()
	}
	if st.Kind == entry.Directory {
		return w.subtree(p, st, row, known, rules)
	}
	if err := w.compare(p, st, row, known); err != nil {
		return true, err
	}
	return true, w.rest(p)
}

// pass takes, without a word, the rows at and below a path.
func (w *walk) pass(p entry.Path) error {
	for {
		row, ok, err := w.rows.peek()
		if err != nil || !ok || row.Path != p && !row.Path.Below(p) {
			return err
		}
		w.rows.take()
	}
}

// subtree looks at a directory and all below it.
//
// A directory whose delete was applied but that still held ignored files is
// left on disk; its row then remembers the inode. It stays deleted until
// something else lies in it.
func (w *walk) subtree(p entry.Path, st tree.Stat, row index.Light, known bool, above *ignore.Set) (bool, error) {
	if known && row.Kind == entry.Deleted && row.Disk.Inode == st.Disk.Inode && st.Disk.Inode != 0 {
		lives, err := w.directory(p, above)
		if err != nil || !lives {
			return lives, err
		}
		return true, w.compare(p, st, row, known)
	}
	if err := w.compare(p, st, row, known); err != nil {
		return true, err
	}
	_, err := w.directory(p, above)
	return true, err
}

// unreadable passes over all rows below a directory that cannot be listed.
func (w *walk) unreadable(dir entry.Path, cause error) error {
	if errors.Is(cause, fs.ErrNotExist) {
		return w.rest(dir) // it went while the walk was on its way
	}
	if dir == "" {
		return fmt.Errorf("list the folder's root: %w", cause)
	}
	for {
		row, ok, err := w.rows.peek()
		if err != nil {
			return err
		}
		if !ok || !row.Path.Below(dir) {
			return w.out.add(Finding{Path: dir, Err: cause})
		}
		w.rows.take()
	}
}

// compare reports what is at p if it is not what the row says.
func (w *walk) compare(p entry.Path, st tree.Stat, row index.Light, known bool) error {
	f := Finding{Path: p, Present: true, Stat: st}
	if known {
		if unchanged(row, st) {
			return nil
		}
		f.Seen = row.Sequence
	}
	if st.Kind != entry.File {
		return w.out.add(f)
	}
	return w.read(f)
}

// unchanged tells whether a path is as its row remembers it.
func unchanged(row index.Light, st tree.Stat) bool {
	if row.Kind != st.Kind || st.Kind == 0 || row.Absent {
		return false
	}
	switch st.Kind {
	case entry.Directory:
		return row.Mode == st.Mode
	case entry.Symlink:
		return row.ModTime == st.ModTime && row.Disk == st.Disk
	case entry.File, entry.Deleted:
	}
	return row.Mode == st.Mode && row.Size == st.Size && row.ModTime == st.ModTime && row.Disk == st.Disk
}
