package folder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/folder/gather"
	"github.com/kithmesh/kith/node/folder/merge"
	"github.com/kithmesh/kith/node/tree"
	"github.com/kithmesh/kith/protocol/seal"
)

// History keeps versions of the folder beside its tree, sealed, so that nobody
// loses a file because a mistake of another device was applied here. Its methods
// are called from several goroutines.
type History interface {
	// Keep stores versions with their content, and returns when they are
	// durable: what they say is about to go from the tree. A version may be
	// known, and its blocks held, already. If it wraps [ErrHistoryFull], all
	// goes on without what there is no room for, and the condition is shown;
	// with any other error what is to go stays for now.
	Keep(ctx context.Context, old []Old) error
	// Record stores versions that lie in the tree, or are known here, without
	// their content. They come in the order in which they were committed to an
	// index, which is named by a random number, and are all up to its change
	// through. After an error they come again.
	Record(ctx context.Context, versions []*seal.Record, index uint64, through entry.Sequence) error
	// Recorded is the last such change that Record was told of an index, zero if
	// it knows of none. It may be too low: versions may come again.
	Recorded(index uint64) entry.Sequence
}

// ErrHistoryFull: the history has no room for what is to be kept, whatever it
// drops of what is older, or keeps nothing at all.
var ErrHistoryFull = errors.New("there is no room in the history")

// Old is a version whose content is about to go, or may go soon.
type Old struct {
	Record *seal.Record
	// Blocks calls got with those blocks of the record that are asked for, sealed
	// and in any order; what it hands over is valid until got returns. It returns
	// what got returns, and an error if they cannot be read: then Keep returns
	// that, and is called again for the others. Those of one Keep are called one
	// after the other.
	Blocks func(ctx context.Context, ids []entry.BlockID, got func(id entry.BlockID, sealed []byte) error) error
}

// leaving is what goes from the tree with an item.
type leaving struct {
	entries []*entry.Entry // versions
	content *entry.Entry   // what lies at the path, if its content goes, else nil
	failed  error          // why it cannot be kept
	rotten  bool           // the disk gives something else, and it goes without
	noticed bool           // either has come out just now
}

// leaves is what goes from the tree when an item is carried out. It returns
// nil if nothing does that a person would miss.
func (a *actor) leaves(it *item) (*leaving, error) {
	l, r := it.here(), it.remote
	if a.History == nil || it.choice.Action != merge.Adopt || it.absent || it.deviates {
		return nil, nil
	}
	out := &leaving{}
	if it.from != nil {
		out.entries = append(out.entries, it.from) // its content moves
	}
	if l == nil || !l.Lives() || l.SamePayload(r) {
		return out.orNil(), nil
	}
	goes := merge.HoldsContent(l) && !l.SameContent(r)
	switch {
	case !l.Unknown && it.deviation == nil:
		out.entries = append(out.entries, l)
	case !goes || it.choice.Keep != nil && !a.isItsOwnCopy(it):
		return out.orNil(), nil // it lies beside the path then
	default:
		versions, err := a.namedAside(l)
		if err != nil {
			return nil, err
		}
		out.entries = append(out.entries, versions...)
	}
	if goes {
		out.content = l
	}
	return out.orNil(), nil
}

func (l *leaving) orNil() *leaving {
	if len(l.entries) == 0 {
		return nil
	}
	return l
}

// isItsOwnCopy tells whether a conflict copy of what lies at a path would have
// that path: then none is made.
func (a *actor) isItsOwnCopy(it *item) bool {
	for try := range merge.MaxCopyTries {
		if a.around.copyName(it.choice.Keep, a.Name, try) == it.path {
			return true
		}
	}
	return false
}

// namedAside are versions for something that has none, since no other device
// ever heard of it. In the history it lies where a conflict copy of it would,
// but under a name that none has, and is gone from there at once: it is no
// version of its path, and in the state of no moment.
func (a *actor) namedAside(l *entry.Entry) ([]*entry.Entry, error) {
	e := *l
	e.Unknown, e.AuthorName, e.Version, e.Sequence = true, "", version.Version{}, 0
	e.Path = a.around.copyName(&e, a.Name+" (not told)", 0)
	e.Unknown, e.Absent, e.Unseen, e.AuthorName, e.Epoch = false, false, nil, a.Name, a.epochFor(l)
	gone := &entry.Entry{Path: e.Path, Kind: entry.Deleted, AuthorName: a.Name, Epoch: e.Epoch, Gone: e.Digest()}
	err := a.update(func(x *index.Folder) (err error) {
		if e.Version, err = a.event(x, version.Version{}); err != nil {
			return err
		}
		gone.Version, err = a.event(x, e.Version)
		return err
	})
	return []*entry.Entry{&e, gone}, err
}

// toKeep finds out what goes with a batch. An item of which that cannot be found
// out is not carried out.
func (a *actor) toKeep(b *batch) (some bool) {
	for _, it := range b.items {
		l, err := a.leaves(it)
		if err != nil {
			l = &leaving{failed: err}
		}
		it.leaving = l
		some = some || l != nil
	}
	return some
}

// keepOld gives the history what goes with a batch, beside the actor.
func (f *Folder) keepOld(ctx context.Context, d *disk, b *batch) {
	var items []*item
	for _, it := range b.items {
		if it.leaving != nil && it.leaving.failed == nil && it.err() == nil {
			items = append(items, it)
		}
	}
	f.keepLeaving(ctx, d, items)
}

// keepLeaving does so for some items. What cannot be read is set apart, and the
// others are tried again without it.
func (f *Folder) keepLeaving(ctx context.Context, d *disk, items []*item) {
	for {
		var old []Old
		items = slices.DeleteFunc(items, func(it *item) bool {
			var some []Old
			some, it.leaving.failed = f.oldOf(d, it)
			old = append(old, some...)
			return it.leaving.failed != nil
		})
		if len(old) == 0 {
			return
		}
		err := f.History.Keep(ctx, old)
		if err == nil || errors.Is(err, ErrHistoryFull) {
			f.historyFull.Store(err != nil)
			return
		}
		noticed := false
		for _, it := range items {
			noticed = noticed || it.leaving.noticed
			it.leaving.noticed = false
		}
		if !noticed {
			for _, it := range items {
				it.leaving.failed = err
			}
			return
		}
		items = slices.DeleteFunc(items, func(it *item) bool { return it.leaving.failed != nil })
	}
}

// oldOf is what the history is given of an item.
func (f *Folder) oldOf(d *disk, it *item) (out []Old, err error) {
	l := it.leaving
	if l.content != nil {
		st, err := d.tree.Lstat(it.path)
		if err == nil && !st.Same(tree.StatOf(l.content)) {
			err = tree.ErrChanged
		}
		if err != nil {
			return nil, err
		}
	}
	for _, e := range l.entries {
		k := f.key(e.Epoch)
		if k == nil {
			return nil, fmt.Errorf("%w %d", errNoKey, e.Epoch)
		}
		r, err := k.SealRecord(e)
		if err != nil {
			return nil, err
		}
		out = append(out, Old{Record: r, Blocks: f.blocksOf(d, it)})
	}
	return out, nil
}

// blocksOf reads the content that goes with an item.
func (f *Folder) blocksOf(d *disk, it *item) func(context.Context, []entry.BlockID, func(entry.BlockID, []byte) error) error {
	return func(ctx context.Context, ids []entry.BlockID, got func(entry.BlockID, []byte) error) error {
		l := it.leaving
		if l.content == nil || l.rotten || len(ids) == 0 {
			return nil
		}
		err := f.readBlocks(ctx, it.path, l.content, ids, got)
		if !errors.Is(err, errNotRead) {
			return err
		}
		l.noticed = true
		st, err2 := d.tree.Lstat(it.path)
		switch {
		case err2 == nil && st.Same(tree.StatOf(l.content)) && errors.Is(err, seal.ErrNotBlock):
			// Nobody has touched it, and the disk gives other bytes: what the
			// version says is here no more.
			l.rotten = true
			f.Log.Warn("a file is not what it was; it goes without being kept", "path", string(it.path), "error", err)
		case errors.Is(err, seal.ErrNotBlock):
			l.failed = tree.ErrChanged
		default:
			l.failed = err
		}
		return err
	}
}

// errNotRead is wrapped by errors of reading a file of the tree.
var errNotRead = errors.New("cannot be read")

// kept leaves out the items that cannot be carried out since what goes with them
// could not be kept.
func (a *actor) kept(items []*item) []*item {
	return slices.DeleteFunc(items, func(it *item) bool {
		l := it.leaving
		if l == nil || l.failed == nil {
			return false
		}
		err := fmt.Errorf("keep what goes from %q: %w", it.path, l.failed)
		if errors.Is(err, tree.ErrChanged) || errors.Is(err, fs.ErrNotExist) {
			a.trouble(it, err)
			return true
		}
		a.Log.Warn("keep an old version", "path", string(it.path), "error", err)
		a.stuck.add(a.Clock(), it.path, Problem{
			Path: it.path, Code: "cannot_keep", Text: err.Error(), Hint: "What it replaces stays until the history can keep it.",
		})
		return true
	})
}

// keepNow gives the history what a person's own command is about to take from
// the tree.
func (a *actor) keepNow(all ...*entry.Entry) error {
	var items []*item
	for _, e := range all {
		if a.History == nil || e == nil || e.Absent || !merge.HoldsContent(e) {
			continue
		}
		l := &leaving{entries: []*entry.Entry{e}, content: e}
		if e.Unknown || len(e.Version.Vector) == 0 {
			var err error
			if l.entries, err = a.namedAside(e); err != nil {
				return err
			}
		}
		items = append(items, &item{path: e.Path, leaving: l})
	}
	a.keepLeaving(a.ctx, a.disk, slices.Clone(items))
	a.stale = true
	for _, it := range items {
		if it.leaving.failed != nil {
			return fmt.Errorf("keep %q: %w", it.path, it.leaving.failed)
		}
	}
	return nil
}

// readBlocks reads blocks of the file at a path and seals them. Its error wraps
// errNotRead if that is what failed, and seal.ErrNotBlock if the file holds
// something else than e says.
func (f *Folder) readBlocks(
	ctx context.Context, p entry.Path, e *entry.Entry, ids []entry.BlockID, got func(entry.BlockID, []byte) error,
) error {
	k := f.key(e.Epoch)
	if k == nil {
		return fmt.Errorf("%w: %w %d", errNotRead, errNoKey, e.Epoch)
	}
	file, err := f.openFile(p)
	if err != nil {
		return fmt.Errorf("%w: %w", errNotRead, err)
	}
	defer func() { _ = file.Close() }() // only read
	wanted := make(map[entry.BlockID]bool, len(ids))
	for _, id := range ids {
		wanted[id] = true
	}
	var plain, sealed []byte
	var at int64
	for _, b := range e.Blocks {
		offset := at
		at += int64(b.Length)
		if !wanted[b.ID] {
			continue
		}
		delete(wanted, b.ID)
		if err := ctx.Err(); err != nil {
			return err
		}
		plain = slices.Grow(plain[:0], int(b.Length))[:b.Length]
		_, err := file.ReadAt(plain, offset)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = seal.ErrNotBlock // it is shorter
		}
		if err == nil {
			sealed, err = k.SealBlock(sealed[:0], b.ID, plain, seal.Auto)
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errNotRead, err)
		}
		if err := got(b.ID, sealed); err != nil {
			return err
		}
	}
	return nil
}

// openFile opens a file of the tree, while that is there.
func (f *Folder) openFile(p entry.Path) (gather.File, error) {
	d := f.disk.Load()
	if d == nil {
		return nil, errGone
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return nil, errGone
	}
	return d.gather.OpenFile(p)
}
