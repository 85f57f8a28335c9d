package look

import (
	"slices"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
)

// known is what a file may be that is named under keys which are not the
// newest: the same bytes have other names there, so that only reading the file
// under those keys shows that it is the same.
type known struct {
	epochs []entry.Epoch // to try, the newest first
	files  []*entry.Entry
	gone   map[entry.Digest]bool // content that was deleted, of whatever epoch
}

// maxTries bounds how often a file is read for a delete, of which nobody says
// under which keys the content was named.
const maxTries = 8

// known finds what is known of the path of a finding: the entry that it was
// compared with, and what others have told.
func (l *Looker) known(f Finding) (k known, err error) {
	epochs := l.Epochs()
	newest := epochs[len(epochs)-1]
	if len(epochs) == 1 {
		return k, nil
	}
	err = l.DB.View(func(tx *index.Tx) error {
		x, err := tx.Folder(l.Folder)
		if err != nil {
			return err
		}
		if f.Seen != 0 {
			e, err := x.Get(f.Path)
			if err != nil {
				return err
			}
			k.add(e, f)
		}
		wanted, err := x.Wanted(f.Path)
		for i := range wanted {
			k.add(&wanted[i].Entry, f)
		}
		return err
	})
	if len(k.gone) > 0 {
		k.epochs = append(k.epochs, epochs[max(0, len(epochs)-maxTries):]...)
	}
	k.epochs = slices.DeleteFunc(k.epochs, func(e entry.Epoch) bool { return e == newest || l.Keys(e) == nil })
	slices.Sort(k.epochs)
	k.epochs = slices.Compact(k.epochs)
	slices.Reverse(k.epochs)
	return k, err
}

func (k *known) add(e *entry.Entry, f Finding) {
	switch {
	case e == nil:
	case e.Kind == entry.File && e.Size == f.Stat.Size:
		k.files, k.epochs = append(k.files, e), append(k.epochs, e.Epoch)
	case e.Kind == entry.Deleted && e.Gone != (entry.Digest{}):
		if k.gone == nil {
			k.gone = map[entry.Digest]bool{}
		}
		k.gone[e.Gone] = true
	}
}

// has tells whether these are the blocks of something that is known.
func (k *known) has(epoch entry.Epoch, blocks []entry.Block) bool {
	same := slices.ContainsFunc(k.files, func(e *entry.Entry) bool { return e.Epoch == epoch && slices.Equal(e.Blocks, blocks) })
	e := entry.Entry{Kind: entry.File, Blocks: blocks}
	return same || len(blocks) > 0 && k.gone[e.Digest()]
}

// newest is the epoch under whose keys new content is named.
func (l *Looker) newest() entry.Epoch {
	epochs := l.Epochs()
	return epochs[len(epochs)-1]
}
