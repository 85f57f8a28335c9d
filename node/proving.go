package node

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/past"
	"github.com/kithmesh/kith/protocol/history"
)

// Verify implements [control.Proofs].
func (d *Device) Verify(ctx context.Context, r control.VerifyRequest, progress func(control.VerifyProgress) error) ([]control.Verified, error) {
	shares, err := d.someShares(r.Folder)
	if err != nil {
		return nil, fmt.Errorf("verify: %w", err)
	}
	out := []control.Verified{}
	for _, s := range shares {
		if r.Accept {
			if err := d.accept(ctx, s); err != nil {
				return out, fmt.Errorf("verify %q: %w", s.controlled().Label, err)
			}
		}
		some, err := d.verify(ctx, s, sampleOf(r.Percent), progress)
		out = append(out, some...)
		if err != nil {
			return out, fmt.Errorf("verify %q: %w", s.controlled().Label, err)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("verify %q: no backup of it is connected, and none is kept here: %w", r.Folder, control.ErrNoHistory)
	}
	return out, nil
}

// sampleOf is a share of what there is, of which 0 is all.
func sampleOf(percent float64) float64 {
	if percent <= 0 || percent >= 100 {
		return 1
	}
	return percent / 100
}

// accept ends the conditions that a person has seen.
func (d *Device) accept(ctx context.Context, s *share) error {
	if s.keeper != nil {
		if err := s.keeper.Accept(ctx); err != nil {
			return err
		}
	}
	for _, m := range s.backups() {
		if err := d.guards.change(s.ID, m.Device, true, func(g *guard) { g.Faults = nil }); err != nil {
			return err
		}
	}
	d.changed.tell()
	return nil
}

func (d *Device) verify(ctx context.Context, s *share, sample float64, progress func(control.VerifyProgress) error) (out []control.Verified, err error) {
	if s.keeper != nil {
		own, err := d.readOwn(ctx, s, progress)
		if err != nil {
			return out, err
		}
		out = append(out, own)
	}
	if s.tree == nil {
		return out, nil
	}
	for _, l := range s.vaultLinks() {
		out = append(out, d.verifyOne(ctx, s, l, sample, progress))
		if err := ctx.Err(); err != nil {
			return out, err
		}
	}
	return out, nil
}

// verifyOne has the vault of one member prove what it holds.
func (d *Device) verifyOne(ctx context.Context, s *share, l *link, sample float64, progress func(control.VerifyProgress) error) control.Verified {
	v := control.Verified{Folder: s.controlled(), Device: d.identity(l.id), At: time.Now()}
	x := &proving{share: s, link: l, out: &v, sample: sample, progress: progress}
	if err := x.run(ctx); err != nil {
		x.problem("not_proven", "could not be asked: "+err.Error())
	}
	if ctx.Err() == nil {
		d.noteProof(s, l.id, &v, func(g *guard) { g.Proven = v.At })
	}
	return v
}

// noteProof remembers what a proof has shown, and notes it as passed if it was.
func (d *Device) noteProof(s *share, m entry.DeviceID, v *control.Verified, passed func(*guard)) {
	d.noteGuard(s, m, true, func(g *guard) {
		bad := false
		for _, p := range v.Problems {
			if p.Code == faultWithheld {
				bad = true
				g.fault(p.Code, p.Message)
			}
		}
		if !bad && len(v.Problems) == 0 {
			passed(g)
		}
	})
	d.changed.tell()
}

// readOwn reads all of this device's own vault, and has what is damaged healed.
func (d *Device) readOwn(ctx context.Context, s *share, progress func(control.VerifyProgress) error) (control.Verified, error) {
	out := control.Verified{Folder: s.controlled(), Device: d.identity(d.id.ID()), At: time.Now()}
	v := s.keeper.Vault()
	t, err := v.Totals()
	if err != nil {
		return out, err
	}
	const piece = 64 << 20
	for began := out.At; ; {
		r, err := v.Scrub(ctx, piece)
		if err != nil {
			return out, err
		}
		out.Bytes += r.Bytes
		if err := progress(control.VerifyProgress{Device: out.Device, Blocks: min(t.Blocks, t.Blocks*out.Bytes/max(t.PackBytes, 1)), TotalBlock: t.Blocks}); err != nil {
			return out, err
		}
		// A round that began before may have passed what is damaged since.
		if r.Round && !r.Began.Before(began) || r.Bytes == 0 {
			break
		}
	}
	before, err := v.Damaged()
	if err == nil && len(before) > 0 {
		err = s.keeper.Heal(ctx)
	}
	if err != nil {
		return out, err
	}
	after, err := v.Damaged()
	out.Blocks, out.Files = t.Blocks, t.Versions
	out.Mended = int64(len(before) - len(after))
	if len(after) > 0 {
		out.Problems = append(out.Problems, control.Problem{
			Code: "vault_damaged", Message: fmt.Sprintf("%d blocks or versions are damaged, and no device that is connected has them", len(after)),
			Hint: "connect other devices of the folder; --accept gives up what nobody has",
		})
	}
	return out, err
}

// proving is one vault that is to prove what it holds.
type proving struct {
	share    *share
	link     *link
	out      *control.Verified
	sample   float64
	progress func(control.VerifyProgress) error
	total    int64
}

func (x *proving) problem(code, text string) {
	x.out.Problems = append(x.out.Problems, control.Problem{Code: code, Message: text})
}

// run compares the vault's records with the index of this device, and has it
// prove the blocks of what lies here.
func (x *proving) run(ctx context.Context) error {
	client := x.link.past(x.share.ID)
	defer client.Close()
	st, err := client.State(ctx)
	if err != nil {
		return err
	}
	p := x.share.pastOf([]source{{Source: &vaultOf{client, x.link, x.share.ID, st}, device: x.link.id}})
	same := x.share.Status().Members[x.link.id].Same
	tree, err := p.AsOf(ctx, st.Moment)
	if err != nil {
		return err
	}
	defer func() { _ = tree.Close() }()
	if n := tree.Gaps.Unopened; n > 0 {
		x.problem(faultWithheld, fmt.Sprintf("%d of its versions cannot be opened: %v", n, tree.Gaps.Cause))
	}
	lacks, files := x.compare(tree, same)
	if lacks > 0 {
		x.problem(faultWithheld, fmt.Sprintf("it lacks %d paths that it said it holds", lacks))
	}
	if !same {
		x.out.Problems = append(x.out.Problems, control.Problem{Code: "behind", Message: "it does not have all yet that is here; what it has was asked about"})
	}
	return x.prove(ctx, client, files)
}

// compare counts what the vault lacks of the index, and returns the files that
// both have in one version, as many as the sample asks for.
func (x *proving) compare(tree *past.Tree, same bool) (lacks int64, files []*entry.Entry) {
	for e, err := range x.share.tree.Entries() {
		if err != nil || e.Unknown {
			continue
		}
		row, known := tree.Find(e.Path)
		switch {
		case !e.Lives():
			if known && same && tree.Entry(row).Version.Compare(e.Version) == version.Before {
				lacks++
			}
		case !known:
			if same {
				lacks++
			}
		default:
			switch order := tree.Entry(row).Version.Compare(e.Version); {
			case order == version.Before && same:
				lacks++
			case order == version.Equal && e.Kind == entry.File && !e.Absent && rand.Float64() < x.sample:
				files = append(files, e)
				x.total += int64(len(e.Blocks))
			}
		}
	}
	return lacks, files
}

// prove has the vault prove the blocks of files, in rounds.
func (x *proving) prove(ctx context.Context, client *history.Client, files []*entry.Entry) error {
	f := &free{device: x.share.device, share: x.share}
	var wrong []entry.BlockID
	for len(files) > 0 {
		round := cutRound(files)
		files = files[len(round):]
		raw, whole := x.read(ctx, round)
		right, err := f.provenBlocks(ctx, client, whole, raw)
		if err != nil {
			return err
		}
		bad := lacking(whole, right)
		if len(bad) > 0 {
			bad, err = x.mend(ctx, client, whole, raw, bad)
			if err != nil {
				return err
			}
		}
		wrong = append(wrong, bad...)
		for _, e := range whole {
			x.out.Files++
			x.out.Blocks += int64(len(e.Blocks))
			x.out.Bytes += e.Size
		}
		if err := x.progress(control.VerifyProgress{Device: x.out.Device, Blocks: x.out.Blocks, TotalBlock: x.total}); err != nil {
			return err
		}
	}
	if len(wrong) > 0 {
		x.problem(faultWithheld, fmt.Sprintf("it could not prove %d blocks that it said it holds", len(wrong)))
	}
	return nil
}

func lacking(files []*entry.Entry, right map[entry.BlockID]bool) (out []entry.BlockID) {
	seen := map[entry.BlockID]bool{}
	for _, e := range files {
		for _, b := range e.Blocks {
			if !right[b.ID] && !seen[b.ID] {
				seen[b.ID] = true
				out = append(out, b.ID)
			}
		}
	}
	return out
}

// read reads the blocks of files as they lie here. Files that have changed
// meanwhile are left out.
func (x *proving) read(ctx context.Context, files []*entry.Entry) (raw map[entry.BlockID][]byte, whole []*entry.Entry) {
	raw = map[entry.BlockID][]byte{}
	for _, e := range files {
		var ids []entry.BlockID
		for _, b := range e.Blocks {
			ids = append(ids, b.ID)
		}
		i, all := -1, true
		err := x.share.tree.Sealed(ctx, ids, false, func(sealed []byte) error {
			i++
			if all = all && sealed != nil; sealed != nil {
				raw[ids[i]] = append([]byte(nil), sealed...)
			}
			return nil
		})
		if err == nil && all {
			whole = append(whole, e)
		}
	}
	return raw, whole
}

// mendWait is how long a vault may take to fetch what it is to mend.
const mendWait = 20 * time.Second

// mend has the vault fetch this device's form of blocks that it could not prove,
// and returns those that it cannot prove then either.
func (x *proving) mend(
	ctx context.Context, client *history.Client, files []*entry.Entry, raw map[entry.BlockID][]byte, bad []entry.BlockID,
) ([]entry.BlockID, error) {
	for ids := bad; len(ids) > 0; {
		part := ids[:min(len(ids), history.MaxIDs)]
		ids = ids[len(part):]
		if _, err := client.Mend(ctx, part); err != nil && !errors.Is(err, history.ErrFull) {
			return bad, err
		}
	}
	f := &free{device: x.share.device, share: x.share}
	first := len(bad)
	for begun := time.Now(); len(bad) > 0 && time.Since(begun) < mendWait; {
		if err := pause(ctx, 500*time.Millisecond); err != nil {
			return bad, err
		}
		right, err := f.provenBlocks(ctx, client, files, raw)
		if err != nil {
			return bad, err
		}
		bad = lacking(files, right)
	}
	x.out.Mended += int64(first - len(bad))
	return bad, nil
}
