package folder_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/folder"
	"github.com/kithmesh/kith/node/folder/brake"
	"github.com/kithmesh/kith/node/folder/choice"
	"github.com/kithmesh/kith/protocol/blocks"
)

// A hand is a device together with what its person has told it: a role, what
// is to lie there, when to brake. It tells the folder so again at each start,
// as the program does.
type hand struct {
	*device
	role  entry.Role
	rules choice.Rules
	limit brake.Limits
}

// hands are devices that share a folder; all run, and all are linked.
func hands(t testing.TB, names ...string) (*world, []*hand) {
	t.Helper()
	w := newWorld(t, names...)
	var out []*hand
	for _, d := range w.all {
		h := handOf(d)
		h.up()
		out = append(out, h)
	}
	w.linkAll()
	return w, out
}

func handOf(d *device) *hand {
	h := &hand{device: d, role: entry.RoleSync}
	h.attach()
	return h
}

// attach has the folder be told at each start.
func (h *hand) attach() {
	before := h.options
	h.options = func(o *folder.Options) {
		if before != nil {
			before(o)
		}
		o.Role, o.Choices, o.Brake = h.role, h.rules, h.limit
	}
}

func (h *hand) does(what string, do func(ctx context.Context) error) {
	h.w.t.Helper()
	ctx, cancel := bounded()
	defer cancel()
	if err := do(ctx); err != nil {
		h.w.t.Fatalf("%s on %s: %v", what, h.name, err)
	}
}

// become changes the role.
func (h *hand) become(r entry.Role) {
	h.w.t.Helper()
	h.role = r
	if h.folder != nil {
		h.does("role", func(ctx context.Context) error { return h.folder.SetRole(ctx, r) })
	}
}

// choose makes a choice for a path and all below it.
func (h *hand) choose(rule choice.Rule) {
	h.w.t.Helper()
	h.rules = h.rules.With(rule)
	if h.folder != nil {
		h.does("choose", func(ctx context.Context) error { return h.folder.SetChoices(ctx, h.rules) })
	}
}

// get asks for the content at a path and below it, as `kith get` does.
func (h *hand) get(p entry.Path) {
	h.w.t.Helper()
	h.choose(choice.Rule{Path: p, Here: true})
	h.does("get", func(ctx context.Context) error { return h.folder.Get(ctx, p) })
}

func (h *hand) missing(p entry.Path) (m folder.Missing) {
	h.w.t.Helper()
	h.does("missing", func(ctx context.Context) (err error) { m, err = h.folder.Missing(ctx, p); return err })
	return m
}

// proof is what a holder answers for the blocks of a file, in order; nil where
// it has no answer.
type proof func(nonce [32]byte, ids []entry.BlockID, hold time.Duration) ([][]byte, error)

// proves answers as a device does that is asked over the network.
func (d *device) proves(nonce [32]byte, ids []entry.BlockID, hold time.Duration) (out [][]byte, err error) {
	if hold > 0 {
		if err := d.folder.Hold(ids, hold); err != nil {
			return nil, err
		}
	}
	ctx, cancel := bounded()
	defer cancel()
	err = d.folder.Sealed(ctx, ids, false, func(sealed []byte) error {
		var p []byte
		if sealed != nil {
			sum := blocks.Proof(nonce, sealed)
			p = sum[:]
		}
		out = append(out, p)
		return nil
	})
	return out, err
}

const holdTime = 3 * time.Minute

// freed is what a free came to.
type freed struct {
	dropped []entry.Path
	kept    map[folder.Kept][]entry.Path
}

// free drops the content at a path and below it that enough of the holders
// prove to have. It does what package node does, step by step, with between
// called when all is proven and nothing is dropped.
func (h *hand) free(p entry.Path, copies int, between func(), holders ...proof) (out freed) {
	h.w.t.Helper()
	h.does("free", func(ctx context.Context) error {
		r, err := h.folder.BeginFree(ctx, p)
		if err != nil {
			return err
		}
		defer r.Close()
		out.kept = r.Kept
		drop := h.proven(r, copies, holders)
		if between != nil {
			between()
		}
		dropped, err := r.Drop(ctx, drop)
		for _, e := range drop {
			if !slices.Contains(dropped, e) {
				out.kept[folder.KeptChanged] = append(out.kept[folder.KeptChanged], e.Path)
			}
		}
		for _, e := range dropped {
			out.dropped = append(out.dropped, e.Path)
		}
		return err
	})
	if len(out.dropped) > 0 && !h.rules.Of(p).Pinned {
		h.choose(choice.Rule{Path: p})
	}
	return out
}

func (h *hand) proven(r *folder.Freeing, copies int, holders []proof) (drop []*entry.Entry) {
	h.w.t.Helper()
	for _, e := range r.Files {
		var nonce [32]byte
		_, _ = rand.Read(nonce[:])
		var ids []entry.BlockID
		var want [][]byte
		err := r.Seal(e, func(id entry.BlockID, sealed []byte) {
			sum := blocks.Proof(nonce, sealed)
			ids, want = append(ids, id), append(want, sum[:])
		})
		if err != nil {
			r.Kept[folder.KeptChanged] = append(r.Kept[folder.KeptChanged], e.Path)
			continue
		}
		n := 0
		for _, ask := range holders {
			got, err := ask(nonce, ids, holdTime)
			if err == nil && slices.EqualFunc(got, want, slices.Equal[[]byte]) {
				n++
			}
		}
		if n < copies {
			r.Kept[folder.KeptCopies] = append(r.Kept[folder.KeptCopies], e.Path)
			continue
		}
		drop = append(drop, e)
	}
	return drop
}

// frees fails unless a free drops everything.
func (h *hand) frees(p entry.Path, holders ...*device) {
	h.w.t.Helper()
	var all []proof
	for _, d := range holders {
		all = append(all, d.proves)
	}
	if out := h.free(p, len(holders), nil, all...); len(out.kept) > 0 || len(out.dropped) == 0 {
		h.w.t.Fatalf("free %q on %s: %+v", p, h.name, out)
	}
}

// why is the codes of what a folder says of a path.
func (h *hand) why(p entry.Path) (codes []string, all folder.Explanation) {
	h.w.t.Helper()
	h.does("why", func(ctx context.Context) (err error) { all, err = h.folder.Why(ctx, p); return err })
	for _, c := range all.Causes {
		codes = append(codes, c.Code)
	}
	return codes, all
}

// given is how many blocks all devices together have given.
func (w *world) given() (n int) {
	for _, d := range w.all {
		n += d.given()
	}
	return n
}

// costs fails unless what is done makes devices give just so many blocks.
func (w *world) costs(n int, what string, do func()) {
	w.t.Helper()
	before := w.given()
	do()
	if got := w.given() - before; got != n {
		w.t.Errorf("%s: %d blocks were given, not %d", what, got, n)
	}
}

// at is what lies at a path; empty if nothing does.
func (d *device) at(p string) string { d.w.t.Helper(); return d.files()[p] }

// has fails unless just this lies at a path.
func (d *device) has(p, what string) {
	d.w.t.Helper()
	if got := d.at(p); got != what {
		d.w.t.Errorf("%s has %.80q at %q, not %.80q", d.name, got, p, what)
	}
}

func text(s string) string { return fmt.Sprintf("file 644: %s", s) }
