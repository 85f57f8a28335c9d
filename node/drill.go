package node

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/past"
)

// drillSample is how many files a drill takes if nobody says.
const drillSample = 20

// Drill implements [control.Proofs].
func (d *Device) Drill(ctx context.Context, r control.VerifyRequest, progress func(control.VerifyProgress) error) ([]control.Verified, error) {
	s, err := d.findShare(r.Folder)
	if err == nil {
		_, err = s.withTree()
	}
	if err != nil {
		return nil, fmt.Errorf("drill: %w", err)
	}
	out := []control.Verified{}
	for _, l := range s.vaultLinks() {
		sample := r.Percent / 100
		if sample <= 0 {
			sample = drillSample / float64(max(1, s.Status().Files))
		}
		out = append(out, d.drillOne(ctx, s, l, sample, progress))
		if err := ctx.Err(); err != nil {
			return out, err
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("drill %q: no backup of it is connected: %w", r.Folder, control.ErrNoHistory)
	}
	return out, nil
}

// drillOne fetches a sample of the files that a member's vault holds now, opens
// their blocks and compares them with what their names say.
func (d *Device) drillOne(ctx context.Context, s *share, l *link, sample float64, progress func(control.VerifyProgress) error) control.Verified {
	v := control.Verified{Folder: s.controlled(), Device: d.identity(l.id), At: time.Now()}
	x := &drilling{share: s, out: &v, progress: progress}
	if err := x.run(ctx, l, sample); err != nil {
		v.Problems = append(v.Problems, control.Problem{Code: "not_proven", Message: "could not be asked: " + err.Error()})
	}
	if ctx.Err() == nil {
		d.noteProof(s, l.id, &v, func(g *guard) { g.Drilled = v.At })
	}
	return v
}

type drilling struct {
	share    *share
	out      *control.Verified
	progress func(control.VerifyProgress) error
	source   past.Source
	total    int64
}

func (x *drilling) run(ctx context.Context, l *link, sample float64) error {
	client := l.past(x.share.ID)
	defer client.Close()
	st, err := client.State(ctx)
	if err != nil {
		return err
	}
	x.source = &vaultOf{client, l, x.share.ID, st}
	tree, err := x.share.pastOf([]source{{Source: x.source, device: l.id}}).AsOf(ctx, st.Moment)
	if err != nil {
		return err
	}
	defer func() { _ = tree.Close() }()
	var rows, files []past.Row
	for row := range past.Row(tree.Len()) {
		if tree.Kind(row) != entry.File {
			continue
		}
		files = append(files, row)
		if rand.Float64() < sample {
			rows = append(rows, row)
		}
	}
	if len(rows) == 0 && len(files) > 0 {
		rows = append(rows, files[rand.IntN(len(files))])
	}
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
		if err := x.progress(control.VerifyProgress{Device: x.out.Device, Blocks: x.out.Blocks, TotalBlock: x.total}); err != nil {
			return err
		}
	}
	if bad > 0 {
		x.out.Problems = append(x.out.Problems, control.Problem{
			Code: faultWithheld, Message: fmt.Sprintf("of %d files that were to be restored %d could not", len(rows), bad),
		})
	}
	return nil
}

// fetch tells whether all of a file can be had and is what it should be.
func (x *drilling) fetch(ctx context.Context, e *entry.Entry) (bool, error) {
	missing := map[entry.BlockID]bool{}
	lengths := map[entry.BlockID]int{}
	for _, b := range e.Blocks {
		missing[b.ID], lengths[b.ID] = true, int(b.Length)
	}
	x.out.Blocks += int64(len(missing))
	for form := 0; form < past.MaxForms && len(missing) > 0; form++ {
		var ids []entry.BlockID
		for id := range missing {
			ids = append(ids, id)
		}
		for len(ids) > 0 {
			part := ids[:min(len(ids), past.MaxAsk)]
			ids = ids[len(part):]
			err := x.source.Blocks(ctx, part, form, func(i int, sealed []byte) error {
				if plain := x.open(part[i], sealed); sealed != nil && len(plain) == lengths[part[i]] {
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

func (x *drilling) open(id entry.BlockID, sealed []byte) []byte {
	for _, k := range x.share.keys() {
		if plain, err := k.OpenBlock(nil, id, sealed); err == nil {
			return plain
		}
	}
	return nil
}
