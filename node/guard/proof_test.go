package guard_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/guard"
	"github.com/kithmesh/kith/node/past"
	"github.com/kithmesh/kith/node/past/pasttest"
	"github.com/kithmesh/kith/protocol/history"
	"github.com/kithmesh/kith/protocol/seal"
)

// here is what a device has of a folder.
type here struct {
	*pasttest.Folder
	behind  bool // the vault has not said that it holds all of it
	busy    bool // it changes all the time
	head    entry.Sequence
	entries []*entry.Entry
}

func (h *here) Same() (guard.Mark, bool) {
	if h.busy {
		h.head++
	}
	return guard.Mark{Index: 1, Head: h.head}, !h.behind
}

func (h *here) Keys() (out []*seal.Keys) {
	for _, k := range h.Folder.Keys {
		out = append(out, k)
	}
	return out
}

func (h *here) Entries() iter.Seq2[*entry.Entry, error] {
	return func(yield func(*entry.Entry, error) bool) {
		for e, err := range h.Folder.Entries() {
			if !yield(e, err) {
				return
			}
		}
		for _, e := range h.entries {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// Sealed seals the blocks of the files that live.
func (h *here) Sealed(_ context.Context, ids []entry.BlockID, send func([]byte) error) error {
	for _, id := range ids {
		sealed, err := h.sealed(id)
		if err == nil {
			err = send(sealed)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (h *here) sealed(id entry.BlockID) ([]byte, error) {
	for p, e := range h.Living {
		content := h.Content[p]
		for _, b := range e.Blocks {
			if plain := content[:b.Length]; b.ID == id {
				return h.Folder.Keys[e.Epoch].SealBlock(nil, id, plain, seal.Raw)
			}
			content = content[b.Length:]
		}
	}
	return nil, nil
}

// there is the vault of a member, a real one.
type there struct {
	pasttest.Vault
	here  *here
	mends int // how many blocks it can mend
	deaf  error
	lost  map[entry.BlockID]bool // which it does not have any more
	wrong map[entry.BlockID]bool // of which it has other bytes
	given map[entry.BlockID]bool // of which somebody has given it other bytes first
}

func (v *there) State(context.Context) (history.State, error) {
	return standing(v.Vault), v.deaf
}

func (v *there) Tree(ctx context.Context, st history.State) (*past.Tree, error) {
	p := &past.Past{Keys: v.here.Folder.Keys, Sources: []past.Source{v.Vault}, Spool: v.here.T.TempDir()}
	return p.AsOf(ctx, st.Moment)
}

func (v *there) Blocks(ctx context.Context, ids []entry.BlockID, form int, got func(int, []byte) error) error {
	return v.Vault.Blocks(ctx, ids, 0, func(i int, sealed []byte) error {
		first := 0
		if v.given[ids[i]] {
			first = 1
		}
		switch {
		case form > first:
			sealed = nil
		case form < first:
			sealed[len(sealed)/2] ^= 1
		case v.lost[ids[i]]:
			sealed = nil
		case v.wrong[ids[i]] && sealed != nil:
			sealed[len(sealed)/2] ^= 1
		}
		return got(i, sealed)
	})
}

func (v *there) Prove(ctx context.Context, nonce [32]byte, ids []entry.BlockID, got func(int, []history.Proven) error) error {
	proofs, err := v.Vault.Prove(ctx, ids, nonce)
	for i := 0; err == nil && i < len(ids); i++ {
		var forms []history.Proven
		for _, p := range proofs[i] {
			if v.wrong[ids[i]] {
				p.Sum[0] ^= 1
			}
			if !v.lost[ids[i]] {
				forms = append(forms, history.Proven{Sum: p.Sum, Encoding: p.Encoding, Size: p.Size})
			}
		}
		err = got(i, forms)
	}
	return err
}

func (v *there) Mend(_ context.Context, ids []entry.BlockID) (n int, err error) {
	for _, id := range ids {
		if v.mends == 0 {
			return n, history.ErrFull
		}
		v.mends--
		n++
		delete(v.lost, id)
		delete(v.wrong, id)
	}
	return n, nil
}

// pair is a folder of some files, all of which are in the vault.
func pair(t testing.TB) (*here, *there) {
	h := &here{Folder: pasttest.New(t)}
	h.Mkdir("d", 0o755)
	for i := range 10 {
		h.Write(entry.Path(fmt.Sprintf("d/%d", i)), strings.Repeat(fmt.Sprint("content of ", i), 250))
	}
	h.Write("none", "")
	h.Write("gone", "gone")
	h.Delete("gone")
	h.NewEpoch()
	h.Write("d/new", "under another key")
	h.Flush()
	return h, &there{Vault: pasttest.Vault{Vault: h.Vault}, here: h, lost: map[entry.BlockID]bool{}, wrong: map[entry.BlockID]bool{}, given: map[entry.BlockID]bool{}}
}

func ask(h *here, v *there) *guard.Proof {
	return &guard.Proof{Folder: h, Vault: v, Sample: 1, MendTime: 20 * time.Millisecond, Progress: func(blocks, total int64) error {
		if blocks > total {
			h.T.Errorf("%d of %d blocks", blocks, total)
		}
		return nil
	}}
}

// expect compares a result: the problems by a part of what they say.
func expect(t testing.TB, what string, r guard.Result, problems ...string) {
	t.Helper()
	bad := len(r.Problems) != len(problems)
	for i := 0; !bad && i < len(problems); i++ {
		bad = !strings.Contains(r.Problems[i].Code+": "+r.Problems[i].Message, problems[i])
	}
	if bad {
		t.Errorf("%s: %+v, not %q", what, r, problems)
	}
}

func TestAVaultThatHoldsEverythingProvesIt(t *testing.T) {
	h, v := pair(t)
	r := ask(h, v).Verify(t.Context())
	expect(t, "verify", r)
	if r.Files != 12 || r.Blocks < 20 || r.Bytes < 20000 || r.Mended != 0 || r.At.IsZero() {
		t.Errorf("verify: %+v", r)
	}
	r = ask(h, v).Drill(t.Context())
	expect(t, "drill", r)
	if r.Files != 12 || r.Blocks < 20 || r.Bytes < 20000 {
		t.Errorf("drill: %+v", r)
	}
	p := ask(h, v)
	p.Sample = 0
	if r = p.Drill(t.Context()); r.Files != 1 || len(r.Problems) > 0 {
		t.Errorf("a drill of no sample: %+v", r)
	}
	p = ask(h, v)
	p.Sample = 0
	if r = p.Verify(t.Context()); r.Files != 1 || len(r.Problems) > 0 {
		t.Errorf("a proof of no sample: %+v", r)
	}
}

// TestAVaultThatLacksWhatItSaysIsFoundOut, in its records and in its blocks.
func TestAVaultThatLacksWhatItSaysIsFoundOut(t *testing.T) {
	for name, c := range map[string]struct {
		wrong  func(h *here, v *there)
		verify []string
		drill  []string
	}{
		"a path": {func(h *here, _ *there) {
			unheard := *h.Living["d/1"]
			unheard.Path = "unheard"
			h.entries = []*entry.Entry{&unheard}
		}, []string{"withheld: it lacks 1 paths"}, nil},
		"a version": {func(h *here, _ *there) {
			h.Vault = nil // nothing comes to it any more
			h.Write("d/1", "edited")
		}, []string{"withheld: it lacks 1 paths"}, nil},
		"a deletion": {func(h *here, _ *there) {
			h.Vault = nil
			h.Delete("d/1")
		}, []string{"withheld: it lacks 1 paths"}, nil},
		"a block": {func(h *here, v *there) {
			v.lost[h.Living["d/1"].Blocks[0].ID] = true
		}, []string{"withheld: it could not prove 1 blocks"}, []string{"withheld: of 12 files that were to be restored 1 could not"}},
		"the bytes of some": {func(h *here, v *there) {
			v.wrong[h.Living["d/1"].Blocks[0].ID], v.wrong[h.Living["d/2"].Blocks[1].ID] = true, true
			v.wrong[h.Living["d/new"].Blocks[0].ID] = true // too small to be compressed
		}, []string{"withheld: it could not prove 3 blocks"}, []string{"withheld: of 12 files that were to be restored 3 could not"}},
		"a key that nobody has": {func(h *here, _ *there) {
			delete(h.Folder.Keys, 2)
		}, []string{"withheld: 1 of its versions cannot be opened", "withheld: it lacks 1 paths"}, nil},
		"an answer": {func(_ *here, v *there) {
			v.deaf = errors.New("no answer")
		}, []string{"not_proven: could not be asked: no answer"}, []string{"not_proven: could not be asked: no answer"}},
	} {
		h, v := pair(t)
		c.wrong(h, v)
		expect(t, name, ask(h, v).Verify(t.Context()), c.verify...)
		expect(t, name, ask(h, v).Drill(t.Context()), c.drill...)
	}
}

// TestAVaultThatIsBehindIsBlamedForNothing that it never said it holds.
func TestAVaultThatIsBehindIsBlamedForNothing(t *testing.T) {
	h, v := pair(t)
	h.Vault, h.behind = nil, true
	h.Write("d/1", "edited")
	h.Write("another", "that it has not heard of")
	h.Delete("d/2")
	r := ask(h, v).Verify(t.Context())
	expect(t, "behind", r, "behind: it does not have all yet")
	if r.Files != 10 {
		t.Errorf("%+v", r)
	}
}

func TestWhatSomebodyHasGivenWrongIsTakenInAnotherForm(t *testing.T) {
	h, v := pair(t)
	for _, b := range h.Living["d/1"].Blocks {
		v.given[b.ID] = true
	}
	r := ask(h, v).Drill(t.Context())
	expect(t, "drill", r)
	if r.Files != 12 {
		t.Errorf("%+v", r)
	}
}

func TestAVaultMendsWhatItCannotProve(t *testing.T) {
	h, v := pair(t)
	bad := h.Living["d/1"].Blocks
	v.lost[bad[0].ID], v.wrong[bad[1].ID] = true, true
	v.mends = 2
	r := ask(h, v).Verify(t.Context())
	expect(t, "mended", r)
	if r.Mended != 2 {
		t.Errorf("%+v", r)
	}
	v.lost[bad[0].ID], v.wrong[bad[1].ID] = true, true
	v.mends = 1
	r = ask(h, v).Verify(t.Context())
	expect(t, "half of it", r, "withheld: it could not prove 1 blocks")
	if r.Mended != 1 {
		t.Errorf("%+v", r)
	}
}

func TestWhatIsNotHereAnyMoreIsNotAskedFor(t *testing.T) {
	h, v := pair(t)
	delete(h.Living, "d/1") // it has changed since the index was read
	r := ask(h, v).Verify(t.Context())
	expect(t, "a file that has changed", r)
	if r.Files != 11 {
		t.Errorf("%+v", r)
	}
}

func TestAProofEndsWhenNobodyWaitsForIt(t *testing.T) {
	h, v := pair(t)
	gone := errors.New("gone")
	for what, show := range map[string]func(*guard.Proof) guard.Result{
		"verify": func(p *guard.Proof) guard.Result { return p.Verify(t.Context()) },
		"drill":  func(p *guard.Proof) guard.Result { return p.Drill(t.Context()) },
	} {
		p := ask(h, v)
		p.Progress = func(int64, int64) error { return gone }
		r := show(p)
		expect(t, what, r, "not_proven: could not be asked: gone")
	}
}

// TestAnAnswerIsForItsQuestionAlone: what was proven before counts for nothing.
func TestAnAnswerIsForItsQuestionAlone(t *testing.T) {
	h, v := pair(t)
	e := h.Living["d/1"]
	own := guard.Own{Keys: h.Keys(), Files: []*entry.Entry{e}, Raw: map[entry.BlockID][]byte{}}
	for _, b := range e.Blocks {
		own.Raw[b.ID], _ = h.sealed(b.ID)
	}
	p := &parrot{Prover: v}
	right, err := guard.ProvenBlocks(t.Context(), p, own)
	if err != nil || !right[e.Blocks[0].ID] {
		t.Fatalf("%v, %v", right, err)
	}
	right, err = guard.ProvenBlocks(t.Context(), p, own)
	if err != nil || right[e.Blocks[0].ID] {
		t.Errorf("an old answer counts: %v, %v", right, err)
	}
}

// parrot says again what was said before.
type parrot struct {
	guard.Prover
	said [][]history.Proven
}

func (p *parrot) Prove(ctx context.Context, nonce [32]byte, ids []entry.BlockID, got func(int, []history.Proven) error) error {
	for i, forms := range p.said {
		if err := got(i, forms); err != nil {
			return err
		}
	}
	if p.said != nil {
		return nil
	}
	return p.Prover.Prove(ctx, nonce, ids, func(i int, forms []history.Proven) error {
		p.said = append(p.said, forms)
		return got(i, forms)
	})
}

func TestARoundIsBounded(t *testing.T) {
	file := func(blocks int, bytes int64) *entry.Entry {
		return &entry.Entry{Kind: entry.File, Size: bytes, Blocks: make([]entry.Block, blocks)}
	}
	many := func(n int, e *entry.Entry) (out []*entry.Entry) {
		for range n {
			out = append(out, e)
		}
		return out
	}
	for name, c := range map[string]struct {
		files []*entry.Entry
		want  int
	}{
		"nothing":          {nil, 0},
		"one that is huge": {many(3, file(5000, 1<<40)), 1},
		"small ones":       {many(5000, file(1, 10)), 1000},
		"many blocks":      {many(5000, file(100, 10)), 20},
		"many bytes":       {many(5000, file(1, 16<<20)), 4},
	} {
		if got := len(guard.Round(c.files)); got != c.want {
			t.Errorf("%s: %d files, not %d", name, got, c.want)
		}
	}
}

var _ guard.Vault = (*there)(nil)

// TestWhatChangesWhileAVaultIsAskedIsNotHeldAgainstIt although the vault has
// said that it holds all.
func TestWhatChangesWhileAVaultIsAskedIsNotHeldAgainstIt(t *testing.T) {
	h, v := pair(t)
	h.Vault, h.busy = nil, true
	h.Write("d/1", "edited")
	h.Write("another", "that it has not heard of")
	expect(t, "busy", ask(h, v).Verify(t.Context()), "behind: it does not have all yet")
}

func TestTheSmallestSampleAsksForSomething(t *testing.T) {
	h, v := pair(t)
	p := ask(h, v)
	p.Sample = 1e-9
	if r := p.Verify(t.Context()); r.Files != 1 || r.Blocks == 0 || len(r.Problems) > 0 {
		t.Errorf("%+v", r)
	}
}
