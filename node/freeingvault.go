package node

import (
	"context"
	"errors"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
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
	right, err := f.provenBlocks(ctx, past, files, q.raw)
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

// provenBlocks are the blocks of files that a vault proves to hold.
func (f *free) provenBlocks(
	ctx context.Context, past *history.Client, files []*entry.Entry, raw map[entry.BlockID][]byte,
) (map[entry.BlockID]bool, error) {
	right := map[entry.BlockID]bool{}
	var ids []entry.BlockID
	for _, e := range files {
		for _, b := range e.Blocks {
			if _, twice := right[b.ID]; !twice {
				right[b.ID] = false
				ids = append(ids, b.ID)
			}
		}
	}
	for len(ids) > 0 {
		part := ids[:min(len(ids), history.MaxIDs)]
		ids = ids[len(part):]
		nonce := newNonce()
		err := past.Prove(ctx, nonce, part, func(i int, forms []history.Proven) error {
			for _, form := range forms {
				right[part[i]] = right[part[i]] || f.share.isForm(nonce, part[i], raw[part[i]], form)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return right, nil
}

// isForm tells whether a proof is of the true sealed form of a block, whose raw
// form is given.
func (s *share) isForm(nonce [32]byte, id entry.BlockID, raw []byte, form history.Proven) bool {
	if form.Encoding == seal.Raw {
		return form.Size == len(raw) && form.Sum == blocks.Proof(nonce, raw)
	}
	for _, k := range s.keys() {
		plain, err := k.OpenBlock(nil, id, raw)
		if err != nil {
			continue
		}
		sealed, err := k.SealBlock(nil, id, plain, form.Encoding)
		return err == nil && len(sealed) == form.Size && blocks.Proof(nonce, sealed) == form.Sum
	}
	return false
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
