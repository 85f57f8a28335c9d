package node

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/guard"
	"github.com/kithmesh/kith/node/past"
	"github.com/kithmesh/kith/node/vault"
	"github.com/kithmesh/kith/protocol/history"
	"github.com/kithmesh/kith/protocol/seal"
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
		if err := d.guards.Keep(s.ID, m.Device, func(g *guard.Guard) { g.Faults = nil }); err != nil {
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
		out = append(out, d.prove(ctx, &proving{share: s, link: l, sample: sample, progress: progress}))
		if err := ctx.Err(); err != nil {
			return out, err
		}
	}
	return out, nil
}

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
		out = append(out, d.prove(ctx, &proving{share: s, link: l, drill: true, sample: sample, progress: progress}))
		if err := ctx.Err(); err != nil {
			return out, err
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("drill %q: no backup of it is connected: %w", r.Folder, control.ErrNoHistory)
	}
	return out, nil
}

// proveByAndBy has the vault of a member show that it holds what it says, if it
// is its turn and no other is asked.
func (d *Device) proveByAndBy(ctx context.Context, s *share, l *link) {
	g := d.guards.Get(s.ID, l.id)
	verify, drill := l.turns.Prove(s.ID, &g, time.Now())
	if !verify && !drill || !d.proofs.TryLock() {
		return
	}
	d.tasks.start(func(context.Context) error {
		defer d.proofs.Unlock()
		st := s.Status()
		x := proving{share: s, link: l, progress: func(control.VerifyProgress) error { return ctx.Err() }}
		if verify {
			x.sample = guard.ProofSample(st.Files, st.Bytes)
			d.report(&x, d.prove(ctx, &x))
		}
		if drill {
			x.drill, x.sample = true, guard.DrillSample(st.Files)
			d.report(&x, d.prove(ctx, &x))
		}
		return nil
	})
}

func (d *Device) report(x *proving, v control.Verified) {
	if len(v.Problems) > 0 {
		d.Log.Warn("a backup did not prove what it holds", "folder", x.share.ID, "device", x.link.id, "problem", v.Problems[0].Message)
		return
	}
	d.Log.Info("a backup has proven what it holds", "folder", x.share.ID, "device", x.link.id, "files", v.Files, "blocks", v.Blocks)
}

// proving is the vault of one connected member that is to show what it holds:
// as [guard.Folder] what is here of the folder.
type proving struct {
	share    *share
	link     *link
	drill    bool // a sample is restored; else it is compared and proven
	sample   float64
	progress func(control.VerifyProgress) error
}

// prove has a vault show what it holds, and notes what that has shown.
func (d *Device) prove(ctx context.Context, x *proving) control.Verified {
	v := control.Verified{Folder: x.share.controlled(), Device: d.identity(x.link.id)}
	client := x.link.past(x.share.ID)
	defer client.Close()
	p := guard.Proof{
		Folder: x, Vault: vaultAsked{client, x.link, x.share}, Sample: x.sample,
		Progress: func(blocks, total int64) error {
			return x.progress(control.VerifyProgress{Device: v.Device, Blocks: blocks, TotalBlock: total})
		},
	}
	show, note := p.Verify, (*guard.Guard).Verified
	if x.drill {
		show, note = p.Drill, (*guard.Guard).Restored
	}
	r := show(ctx)
	v.At, v.Files, v.Blocks, v.Bytes, v.Mended, v.Problems = r.At, r.Files, r.Blocks, r.Bytes, r.Mended, guardProblems(r.Problems)
	if ctx.Err() == nil {
		d.guards.Note(x.share.ID, x.link.id, func(g *guard.Guard) { note(g, &r) })
		d.changed.tell()
	}
	return v
}

// Keys implements [guard.Folder].
func (x *proving) Keys() []*seal.Keys { return x.share.keys() }

// Entries implements [guard.Folder].
func (x *proving) Entries() iter.Seq2[*entry.Entry, error] { return x.share.tree.Entries() }

// Sealed implements [guard.Folder].
func (x *proving) Sealed(ctx context.Context, ids []entry.BlockID, send func([]byte) error) error {
	return x.share.tree.Sealed(ctx, ids, false, send)
}

// Same implements [guard.Folder].
func (x *proving) Same() (guard.Mark, bool) {
	return x.share.mark(), x.share.Status().Members[x.link.id].Same
}

// vaultAsked is the vault of a connected member, as [guard.Vault].
type vaultAsked struct {
	*history.Client
	link  *link
	share *share
}

// Tree implements [guard.Vault].
func (v vaultAsked) Tree(ctx context.Context, st history.State) (*past.Tree, error) {
	return v.share.pastOf([]source{{Source: v.source(st), device: v.link.id}}).AsOf(ctx, st.Moment)
}

// Blocks implements [guard.Vault].
func (v vaultAsked) Blocks(ctx context.Context, ids []entry.BlockID, form int, got func(i int, sealed []byte) error) error {
	return v.source(history.State{}).Blocks(ctx, ids, form, got)
}

func (v vaultAsked) source(st history.State) *vaultOf {
	return &vaultOf{Client: v.Client, link: v.link, folder: v.share.ID, state: st}
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
	out.Mended = int64(len(before) - len(after))
	if err == nil {
		err = countWhole(v, after, t, &out)
	}
	if err == nil {
		err = progress(control.VerifyProgress{Device: out.Device, Blocks: out.Blocks, TotalBlock: t.Blocks})
	}
	if len(after) > 0 {
		out.Problems = append(out.Problems, control.Problem{
			Code: "vault_damaged", Message: fmt.Sprintf("%d blocks or versions are damaged, and no device that is connected has them", len(after)),
			Hint: "connect other devices of the folder; --accept gives up what nobody has",
		})
	}
	return out, err
}

// countWhole counts what of a vault is what it should be, where some of it is
// damaged. A block that is not counts with its size before it was compressed, so
// that no more is said to be right than was shown.
func countWhole(v *vault.Vault, damaged []vault.Damage, t vault.Totals, out *control.Verified) error {
	bad := map[entry.BlockID]int64{} // sizes of those of which no form is good
	versions := map[entry.Sequence]bool{}
	for _, d := range damaged {
		switch {
		case d.Block == entry.BlockID{}:
			versions[d.Sequence] = true
		case d.Others == 0:
			bad[d.Block] = 0
		}
	}
	for h, err := range v.Since(0) {
		if err != nil {
			return err
		}
		if len(bad) == 0 {
			break
		}
		for _, b := range h.Record.Blocks {
			if _, is := bad[b.ID]; is {
				bad[b.ID], versions[h.Sequence] = int64(b.SealedSize), true
			}
		}
	}
	out.Bytes = min(out.Bytes, t.PackBytes)
	for _, size := range bad {
		out.Bytes -= min(out.Bytes, size)
	}
	out.Blocks = max(0, t.Blocks-int64(len(bad)))
	out.Files = max(0, t.Versions-int64(len(versions)))
	return nil
}
