package past

import (
	"iter"
	"slices"
	"sort"

	"github.com/kithmesh/kith/index/entry"
)

// Tree is what a folder was at a moment: at each path one version that lives,
// in tree order.
type Tree struct {
	// Gaps tell what may be missing.
	Gaps Gaps
	// Totals count what is in it.
	Totals Totals

	slab   *slab
	rows   []ref
	others map[entry.Path][]ref
}

// Totals count the contents of a tree.
type Totals struct {
	Files, Directories, Symlinks int64
	Bytes                        int64 // of all files
}

// Row is the position of a path in a tree, in tree order, from 0.
type Row int

func (t *Tree) count() {
	for i := range t.rows {
		switch t.slab.kind(t.rows[i]) {
		case entry.File:
			t.Totals.Files++
			t.Totals.Bytes += t.Entry(Row(i)).Size
		case entry.Directory:
			t.Totals.Directories++
		case entry.Symlink:
			t.Totals.Symlinks++
		case entry.Deleted:
		}
	}
}

// Len is how many paths live.
func (t *Tree) Len() int { return len(t.rows) }

// Find is the row of a path.
func (t *Tree) Find(p entry.Path) (Row, bool) {
	i, ok := sort.Find(len(t.rows), func(i int) int { return p.Compare(t.slab.path(t.rows[i])) })
	return Row(i), ok
}

// Below are the rows from the first to before the last of what is at p and
// below it: all, if p is empty.
func (t *Tree) Below(p entry.Path) (from, to Row) {
	if p == "" {
		return 0, Row(len(t.rows))
	}
	from, _ = t.Find(p)
	n := sort.Search(len(t.rows)-int(from), func(i int) bool {
		q := t.slab.path(t.rows[int(from)+i])
		return q != p && !q.Below(p)
	})
	return from, from + Row(n)
}

// Path is the path of a row.
func (t *Tree) Path(r Row) entry.Path { return t.slab.path(t.rows[r]) }

// Kind is what a row is.
func (t *Tree) Kind(r Row) entry.Kind { return t.slab.kind(t.rows[r]) }

// Entry is what is in a row, without its blocks and what it has not seen. A
// directory of which no version is known has a zero version.
func (t *Tree) Entry(r Row) *entry.Entry {
	e, _ := t.slab.get(t.rows[r], false) // only blocks can fail
	return e
}

// Whole is [Tree.Entry] with the blocks.
func (t *Tree) Whole(r Row) (*entry.Entry, error) { return t.slab.get(t.rows[r], true) }

// Entries are the whole entries at p and below it, in tree order. The loop gets
// an error once, as its last turn.
func (t *Tree) Entries(p entry.Path) iter.Seq2[*entry.Entry, error] {
	return func(yield func(*entry.Entry, error) bool) {
		from, to := t.Below(p)
		for r := from; r < to; r++ {
			e, err := t.Whole(r)
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// Others are versions of a path that lost it to what is there, or to a
// directory, and hold content of their own: devices keep them as conflict
// copies when they meet. The best comes first.
func (t *Tree) Others(p entry.Path) ([]*entry.Entry, error) {
	var out []*entry.Entry
	for _, r := range t.others[p] {
		e, err := t.slab.get(r, true)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// Contested are the paths that have [Tree.Others], in tree order.
func (t *Tree) Contested() []entry.Path {
	out := make([]entry.Path, 0, len(t.others))
	for p := range t.others {
		out = append(out, p)
	}
	slices.SortFunc(out, entry.Path.Compare)
	return out
}

// Close removes the temporary file, if there is one. It comes after all use.
func (t *Tree) Close() error { return t.slab.spool.close() }
