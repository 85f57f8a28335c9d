package guard

import (
	"context"
	"crypto/rand"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/protocol/blocks"
	"github.com/kithmesh/kith/protocol/history"
	"github.com/kithmesh/kith/protocol/seal"
)

// Own is what this device has to compare proofs with: files, the raw sealed
// forms of their blocks, and the keys of the folder.
type Own struct {
	Keys  []*seal.Keys
	Files []*entry.Entry
	Raw   map[entry.BlockID][]byte
}

// ProvenBlocks tells which blocks of files a vault proves to hold, in a form that
// is what this device makes of them in the same encoding. Each request has a
// nonce of its own, so that no answer can be prepared. Errors are those of the
// vault.
func ProvenBlocks(ctx context.Context, v Prover, o Own) (map[entry.BlockID]bool, error) {
	right := map[entry.BlockID]bool{}
	var ids []entry.BlockID
	for _, e := range o.Files {
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
		var nonce [32]byte
		_, _ = rand.Read(nonce[:]) // never fails
		err := v.Prove(ctx, nonce, part, func(i int, forms []history.Proven) error {
			for _, form := range forms {
				right[part[i]] = right[part[i]] || o.isForm(nonce, part[i], form)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return right, nil
}

// isForm tells whether a proof is of the true sealed form of a block.
func (o *Own) isForm(nonce [32]byte, id entry.BlockID, form history.Proven) bool {
	raw := o.Raw[id]
	if form.Encoding == seal.Raw {
		return form.Size == len(raw) && form.Sum == blocks.Proof(nonce, raw)
	}
	for _, k := range o.Keys {
		plain, err := k.OpenBlock(nil, id, raw)
		if err != nil {
			continue
		}
		sealed, err := k.SealBlock(nil, id, plain, form.Encoding)
		return err == nil && len(sealed) == form.Size && blocks.Proof(nonce, sealed) == form.Sum
	}
	return false
}
