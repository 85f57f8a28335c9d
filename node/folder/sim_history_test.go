package folder

import (
	"context"
	"fmt"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/folder/gather"
	"github.com/kithmesh/kith/node/tree"
	"github.com/kithmesh/kith/node/tree/treetest"
	"github.com/kithmesh/kith/protocol/seal"
)

// simHistory is the history of a device, in memory and durable at once: it
// remembers what contents it was given.
type simHistory struct{ d *simDevice }

// Keep opens what it is given, and may have no room for it.
func (h simHistory) Keep(ctx context.Context, old []Old) error {
	d := h.d
	if err := d.point("history", ""); err != nil {
		return err
	}
	if d.w.bug != nil && d.w.bug.forgets {
		return nil
	}
	full := !d.w.calm && d.w.chance.IntN(50) == 0
	for i := range old {
		body, err := h.open(ctx, &old[i])
		if err != nil {
			return err
		}
		d.past[body] = true // what there is no room for is asked for no more
	}
	if err := d.point("kept", ""); err != nil {
		return err
	}
	if full {
		return fmt.Errorf("keep %d versions: %w", len(old), ErrHistoryFull)
	}
	return nil
}

// open is the content of an old version.
func (h simHistory) open(ctx context.Context, o *Old) (string, error) {
	k := h.d.folder.key(o.Record.Epoch)
	e, err := k.OpenRecord(o.Record)
	if err != nil {
		h.d.w.fail("history", "%s: a version that cannot be opened: %v", h.d.name, err)
		return "", err
	}
	var ids []entry.BlockID
	for _, b := range e.Blocks {
		ids = append(ids, b.ID)
	}
	blocks := map[entry.BlockID][]byte{}
	err = o.Blocks(ctx, ids, func(id entry.BlockID, sealed []byte) error {
		plain, err := k.OpenBlock(nil, id, sealed)
		blocks[id] = plain
		return err
	})
	body := ""
	for _, id := range ids {
		body += string(blocks[id])
	}
	return body + e.Target, err
}

// Record and Recorded: what is told beside all else is not simulated.
func (simHistory) Record(context.Context, []*seal.Record, uint64, entry.Sequence) error { return nil }
func (simHistory) Recorded(uint64) entry.Sequence                                       { return 0 }

// simFiles is a tree in memory as the actor sees it. It notices what goes.
type simFiles struct {
	*treetest.Tree
	d *simDevice
}

func (t simFiles) Place(p entry.Path, s gather.Staged, m tree.Meta, expect *tree.Stat) (tree.Stat, error) {
	check := t.goes(p, expect)
	st, err := t.Tree.Place(p, s.(*treetest.Staged), m, expect)
	check(err)
	return st, err
}

func (t simFiles) Remove(p entry.Path, expect tree.Stat) error {
	check := t.goes(p, &expect)
	err := t.Tree.Remove(p, expect)
	check(err)
	return err
}

// goes looks at what is about to go from a path. Once it has, its content is to
// be in the history, or elsewhere in the tree.
func (t simFiles) goes(p entry.Path, expect *tree.Stat) func(error) {
	d := t.d
	st, there := d.disk.Stat(p)
	if expect == nil || !there || !st.Same(*expect) || st.Kind != entry.File && st.Kind != entry.Symlink {
		return func(error) {}
	}
	body, _ := d.disk.Body(p)
	body += st.Target
	return func(err error) {
		if err != nil || d.past[body] {
			return
		}
		for _, it := range d.disk.Items() {
			if it.Body+it.Stat.Target == body {
				return
			}
		}
		d.w.fail("not kept", "%s: %.40q has gone from %q and is not in its history", d.name, body, p)
	}
}
