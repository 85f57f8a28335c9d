package guard

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/past"
)

// Drill fetches a sample of the files that the vault holds now, one at least,
// opens their blocks and compares them with what their names say.
func (x *Proof) Drill(ctx context.Context) Result { return x.run(ctx, x.drill) }

func (x *Proof) drill(ctx context.Context) error {
	st, err := x.Vault.State(ctx)
	if err != nil {
		return err
	}
	tree, err := x.Vault.Tree(ctx, st)
	if err != nil {
		return err
	}
	defer func() { _ = tree.Close() }()
	rows := x.some(tree)
	bad := 0
	for _, row := range rows {
		e, err := tree.Whole(row)
		if err != nil {
			return err
		}
		x.total += int64(len(e.Blocks))
		whole, err := x.fetch(ctx, e)
		if err != nil {
			return err
		}
		if !whole {
			bad++
		}
		x.out.Files++
		if err := x.Progress(x.out.Blocks, x.total); err != nil {
			return err
		}
	}
	if bad > 0 {
		x.problem(Withheld, fmt.Sprintf("of %d files that were to be restored %d could not", len(rows), bad))
	}
	return nil
}

// some is a sample of the files of a tree.
func (x *Proof) some(tree *past.Tree) (rows []past.Row) {
	var files []past.Row
	for row := range past.Row(tree.Len()) {
		if tree.Kind(row) != entry.File {
			continue
		}
		files = append(files, row)
		if rand.Float64() < x.Sample {
			rows = append(rows, row)
		}
	}
	if len(rows) == 0 && len(files) > 0 {
		rows = append(rows, files[rand.IntN(len(files))])
	}
	return rows
}

// fetch tells whether all of a file can be had and is what it should be.
func (x *Proof) fetch(ctx context.Context, e *entry.Entry) (bool, error) {
	missing := map[entry.BlockID]int{} // lengths
	for _, b := range e.Blocks {
		missing[b.ID] = int(b.Length)
	}
	x.out.Blocks += int64(len(missing))
	for form := 0; form < past.MaxForms && len(missing) > 0; form++ {
		for part := range slices.Chunk(slices.Collect(maps.Keys(missing)), past.MaxAsk) {
			err := x.Vault.Blocks(ctx, part, form, func(i int, sealed []byte) error {
				if plain := x.open(part[i], sealed); sealed != nil && len(plain) == missing[part[i]] {
					delete(missing, part[i])
					x.out.Bytes += int64(len(plain))
				}
				return nil
			})
			if err != nil {
				return false, err
			}
		}
	}
	return len(missing) == 0, nil
}

func (x *Proof) open(id entry.BlockID, sealed []byte) []byte {
	for _, k := range x.Folder.Keys() {
		if plain, err := k.OpenBlock(nil, id, sealed); err == nil {
			return plain
		}
	}
	return nil
}
