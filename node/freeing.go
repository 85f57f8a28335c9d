package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/folder"
	"github.com/kithmesh/kith/node/folder/choice"
	"github.com/kithmesh/kith/node/guard"
	"github.com/kithmesh/kith/protocol/blocks"
)

const (
	// freeHold is how long holders promise to keep what they have proven, and
	// freeTime within which what rests on it is done.
	freeHold = 3 * time.Minute
	freeTime = 2 * time.Minute
	maxShown = 20 // paths that are named for each reason
)

// free is one `kith free` on its way.
type free struct {
	device *Device
	share  *share
	copies int
	dry    bool
	out    *control.Freed
	kept   map[folder.Kept]*control.Kept

	mu     sync.Mutex
	proofs map[entry.DeviceID]*control.Proof
}

// Free implements [control.Paths].
func (d *Device) Free(ctx context.Context, r control.FreeRequest) (control.Freed, error) {
	var out control.Freed
	spots, err := d.spots(r.Places)
	if err != nil {
		return out, fmt.Errorf("free %w", err)
	}
	for _, at := range spots {
		f := &free{
			device: d, share: at.share, copies: max(r.Copies, 1), dry: r.DryRun, out: &out,
			kept: map[folder.Kept]*control.Kept{}, proofs: map[entry.DeviceID]*control.Proof{},
		}
		if err := f.run(ctx, at.path); err != nil {
			return out, fmt.Errorf("free %q: %w", at.share.shownPath(at.path), err)
		}
	}
	return out, nil
}

func (f *free) run(ctx context.Context, p entry.Path) error {
	candidates, err := f.share.tree.BeginFree(ctx, p)
	if err != nil {
		return err
	}
	defer candidates.Close()
	for why, paths := range candidates.Kept {
		for _, k := range paths {
			f.keep(why, keptTexts[why], k)
		}
	}
	links := f.holders()
	for files := candidates.Files; len(files) > 0; {
		round := guard.Round(files)
		files = files[len(round):]
		if err := f.round(ctx, candidates, round, links); err != nil {
			return err
		}
	}
	if !f.dry && (f.out.Files > 0 || f.out.Kept == 0) && !f.share.rules().Of(p).Pinned {
		if err := f.share.choose(ctx, choice.Rule{Path: p}); err != nil {
			return err
		}
	}
	if k := f.kept[folder.KeptCopies]; k != nil {
		k.Message += ": " + f.said()
	}
	for _, k := range f.kept {
		f.out.Reasons = append(f.out.Reasons, *k)
	}
	for _, p := range f.proofs {
		f.out.Copies = append(f.out.Copies, *p)
	}
	slices.SortFunc(f.out.Reasons, func(a, b control.Kept) int { return cmpText(a.Code, b.Code) })
	slices.SortFunc(f.out.Copies, func(a, b control.Proof) int { return cmpText(string(a.ID), string(b.ID)) })
	return nil
}

// said is what each member has said, for people.
func (f *free) said() string {
	var out []string
	for _, p := range f.proofs {
		text := fmt.Sprintf("%s proved %d files", p.Name, p.Files)
		if p.Answer != "" {
			text = p.Name + ": " + p.Answer
		}
		out = append(out, text)
	}
	if len(out) == 0 {
		return "no other device is a member"
	}
	slices.Sort(out)
	return strings.Join(out, "; ")
}

func cmpText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

var keptTexts = map[folder.Kept]string{
	folder.KeptPinned:    "pinned to this device: kith pin --remove ends that",
	folder.KeptNotSynced: "a change of it is still under way: try again in a moment",
	folder.KeptInUse:     "another device has just freed its copy, and relies on this one",
	folder.KeptChanged:   "it has changed meanwhile",
}

// keep notes why a file is not freed.
func (f *free) keep(why folder.Kept, text string, p entry.Path) {
	k := f.kept[why]
	if k == nil {
		k = &control.Kept{Code: string(why), Message: text}
		f.kept[why] = k
	}
	k.Files++
	f.out.Kept++
	if len(k.Paths) < maxShown {
		k.Paths = append(k.Paths, f.share.shownPath(p))
	}
}

// holders are the connected members whose copies count, and notes of the
// others why theirs do not.
func (f *free) holders() (out []*link) {
	for _, m := range f.share.members() {
		if m.Device == f.device.id.ID() {
			continue
		}
		p := &control.Proof{Identity: f.device.identity(m.Device)}
		l := f.device.link(m.Device)
		switch {
		case m.Role == entry.RoleArchive:
			p.Answer = "an archive: what it has may be deleted there at any time"
		case l == nil || !l.meets():
			p.Answer = "not connected"
		default:
			out = append(out, l)
		}
		f.proofs[m.Device] = p
	}
	return out
}

// round has holders prove some files, and drops those that are proven.
func (f *free) round(ctx context.Context, candidates *folder.Freeing, files []*entry.Entry, links []*link) error {
	began := time.Now()
	q := question{nonce: newNonce(), want: map[entry.BlockID][32]byte{}, raw: map[entry.BlockID][]byte{}}
	vaults := slices.ContainsFunc(links, func(l *link) bool { return f.share.isBlind(l.id) })
	var whole []*entry.Entry
	for _, e := range files {
		err := candidates.Seal(e, func(id entry.BlockID, sealed []byte) {
			q.want[id] = blocks.Proof(q.nonce, sealed)
			if vaults {
				q.raw[id] = slices.Clone(sealed)
			}
		})
		if err != nil {
			f.keep(folder.KeptChanged, keptTexts[folder.KeptChanged], e.Path)
			continue
		}
		whole = append(whole, e)
	}
	proven := f.ask(ctx, &q, whole, links)
	if err := ctx.Err(); err != nil {
		return err
	}
	var drop []*entry.Entry
	for _, e := range whole {
		if len(proven[e]) >= f.copies {
			drop = append(drop, e)
			continue
		}
		f.keep(folder.KeptCopies, fmt.Sprintf("%d other copies were asked for, and fewer are proven", f.copies), e.Path)
	}
	if !f.dry && len(drop) > 0 {
		if asleep := time.Now().Round(0).Sub(began.Round(0)); max(time.Since(began), asleep.Abs()) > freeTime {
			return errors.New("the proofs took too long to rest on")
		}
		dropped, err := candidates.Drop(ctx, drop)
		if err != nil {
			return err
		}
		for _, e := range drop {
			if !slices.Contains(dropped, e) {
				f.keep(folder.KeptChanged, keptTexts[folder.KeptChanged], e.Path)
			}
		}
		drop = dropped
	}
	for _, e := range drop {
		f.out.Files++
		f.out.Bytes += e.Size
	}
	return nil
}

// question is what holders are asked about a round of files.
type question struct {
	nonce [32]byte
	want  map[entry.BlockID][32]byte // the proof of each block
	raw   map[entry.BlockID][]byte   // its sealed form, where a vault is asked
}

func newNonce() (nonce [32]byte) {
	_, _ = rand.Read(nonce[:]) // never fails
	return nonce
}

// ask asks holders for proofs, all at once, and says who has proven which
// files.
func (f *free) ask(ctx context.Context, q *question, files []*entry.Entry, links []*link) map[*entry.Entry][]*link {
	proven := map[*entry.Entry][]*link{}
	var asked sync.WaitGroup
	for _, l := range links {
		asked.Go(func() {
			ask := f.askOne
			if f.share.isBlind(l.id) {
				ask = f.askVault
			}
			for _, e := range ask(ctx, q, files, l) {
				f.mu.Lock()
				proven[e] = append(proven[e], l)
				f.proofs[l.id].Files++
				f.mu.Unlock()
			}
		})
	}
	asked.Wait()
	return proven
}

// askOne asks one holder, who also promises to keep what it proves. If it will
// not do so for all of it, it is asked for one file after the other.
func (f *free) askOne(ctx context.Context, q *question, files []*entry.Entry, l *link) (proven []*entry.Entry) {
	r := blocks.Request{Folder: f.share.ID, Nonce: q.nonce, Hold: freeHold}
	if f.dry {
		r.Hold = 0
	}
	right := map[entry.BlockID]bool{}
	for _, e := range files {
		last := len(e.Blocks) - 1 // which the ID of the file has to follow
		for i, b := range e.Blocks {
			if _, twice := right[b.ID]; !twice || i == last {
				r.IDs = append(r.IDs, b.ID)
				right[b.ID] = false
			}
		}
		r.IDs = append(r.IDs, folder.FileID(e))
		right[folder.FileID(e)] = false
	}
	err := fetchProofs(ctx, l, r, func(id entry.BlockID, proof []byte) {
		w := q.want[id]
		right[id] = right[id] || string(proof) == string(w[:])
	})
	if errors.Is(err, blocks.ErrNotHeld) && len(files) > 1 {
		for _, e := range files {
			proven = append(proven, f.askOne(ctx, q, []*entry.Entry{e}, l)...)
		}
		return proven
	}
	if err != nil {
		f.mu.Lock()
		f.proofs[l.id].Answer = answerText(err)
		f.mu.Unlock()
		return nil
	}
	for _, e := range files {
		if right[folder.FileID(e)] && !slices.ContainsFunc(e.Blocks, func(b entry.Block) bool { return !right[b.ID] }) {
			proven = append(proven, e)
		}
	}
	if len(proven) < len(files) {
		f.mu.Lock()
		f.proofs[l.id].Answer = "does not hold all of it"
		f.mu.Unlock()
	}
	return proven
}

// fetchProofs asks in as many requests as it takes. Each but the first begins
// with the last ID of the one before, so that none of a file stands alone.
func fetchProofs(ctx context.Context, l *link, r blocks.Request, got func(entry.BlockID, []byte)) error {
	for ids, from := r.IDs, 0; from < len(ids); {
		to := min(len(ids), max(from-1, 0)+blocks.MaxWants)
		r.IDs = ids[max(from-1, 0):to]
		from = to
		err := l.blocks.Fetch(ctx, r, func(i int, proof []byte) error { got(r.IDs[i], proof); return nil })
		if err != nil {
			return err
		}
	}
	return nil
}

func answerText(err error) string {
	switch {
	case errors.Is(err, blocks.ErrNotHeld):
		return "is freeing its own copy"
	case errors.Is(err, blocks.ErrRefused):
		return "does not count this device as a member"
	}
	return "could not be asked: " + err.Error()
}
