package node

import (
	"context"
	"errors"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/guard"
	"github.com/kithmesh/kith/protocol/blocks"
	"github.com/kithmesh/kith/protocol/history"
	"github.com/kithmesh/kith/protocol/seal"
)

// askVault asks a vault for proofs of files. It holds a file if it has a form of
// each of its blocks that is what this device makes of the block in the same
// encoding, and the very version of the file as one that nothing has
// superseded: that no retention drops.
func (f *free) askVault(ctx context.Context, q *question, files []*entry.Entry, l *link) (proven []*entry.Entry) {
	past := l.past(f.share.ID)
	defer past.Close()
	right, err := guard.ProvenBlocks(ctx, past, guard.Own{Keys: f.share.keys(), Files: files, Raw: q.raw})
	if err == nil {
		proven, err = f.provenRecords(ctx, past, files, right)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case errors.Is(err, history.ErrRefused):
		f.proofs[l.id].Answer = answerText(blocks.ErrRefused)
	case err != nil:
		f.proofs[l.id].Answer = answerText(err)
		return nil
	case len(proven) < len(files):
		f.proofs[l.id].Answer = "does not hold all of it"
	}
	return proven
}

// provenRecords are the files whose version a vault holds as the newest, and
// all of whose blocks are right.
func (f *free) provenRecords(
	ctx context.Context, past *history.Client, files []*entry.Entry, right map[entry.BlockID]bool,
) (proven []*entry.Entry, err error) {
	byID := map[seal.RecordID]*entry.Entry{}
	var ids []seal.RecordID
	for _, e := range files {
		for _, k := range f.share.keys() {
			if k.Epoch() == e.Epoch {
				id := k.RecordID(e.Path)
				byID[id] = e
				ids = append(ids, id)
			}
		}
	}
	newest := map[*entry.Entry]bool{}
	for len(ids) > 0 && err == nil {
		part := ids[:min(len(ids), history.MaxIDs)]
		ids = ids[len(part):]
		err = past.Versions(ctx, part, func(h history.Held) error {
			e := byID[h.Record.ID]
			if e != nil && h.Until.IsZero() && h.Record.Version.Compare(e.Version) == version.Equal {
				newest[e] = true
			}
			return nil
		})
	}
	for _, e := range files {
		whole := newest[e]
		for _, b := range e.Blocks {
			whole = whole && right[b.ID]
		}
		if whole {
			proven = append(proven, e)
		}
	}
	return proven, err
}
