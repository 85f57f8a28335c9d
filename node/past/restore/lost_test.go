package restore_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/past"
	"github.com/kithmesh/kith/node/past/pasttest"
	"github.com/kithmesh/kith/node/past/restore"
	"github.com/kithmesh/kith/node/tree"
	"github.com/kithmesh/kith/node/vault"
	"github.com/kithmesh/kith/protocol/seal"
)

// lacking is a vault that lacks some blocks.
type lacking struct {
	pasttest.Vault
	lost map[entry.BlockID]bool
}

func (l lacking) Blocks(ctx context.Context, ids []entry.BlockID, form int, got func(int, []byte) error) error {
	return l.Vault.Blocks(ctx, ids, form, func(i int, sealed []byte) error {
		if l.lost[ids[i]] {
			sealed = nil
		}
		return got(i, sealed)
	})
}

func TestWhatCannotBeHadIsNamedAndTheRestIsRestored(t *testing.T) {
	f := pasttest.New(t)
	f.Write("whole", "x")
	f.Write("empty", "")
	e := f.Write("lost", strings.Repeat("a", 1000)+strings.Repeat("b", 1000)+"c")
	f.Write("elsewhere", "y")
	tree := treeAt(t, f.Past(), f.Moment())
	dir := tempDir(t)
	x := into(t, f, dir)
	half := lacking{pasttest.Vault{Vault: f.Vault}, map[entry.BlockID]bool{e.Blocks[1].ID: true}}
	x.Past.Sources = []past.Source{half}
	c, err := restore.Compare(t.Context(), x.Past, restore.Sample{Tree: tree})
	must(t, err)
	if c.Files != 3 || c.Bytes != 2 || len(c.Bad) != 1 || c.Bad[0].Path != "lost" || !errors.Is(c.Bad[0].Err, restore.ErrLost) {
		t.Errorf("compared: %+v", c)
	}
	p, err := x.Plan(t.Context(), restore.Request{Tree: tree})
	must(t, err)
	var last restore.Progress
	x.Progress = func(p restore.Progress) { last = p }
	res, err := x.Run(t.Context(), p)
	must(t, err)
	if !res.Partial() || len(res.Lost) != 1 || res.Lost[0].Path != "lost" || !errors.Is(res.Lost[0].Err, restore.ErrLost) || res.Made != 3 {
		t.Errorf("result: %+v", res)
	}
	if last.Files != 4 || last.TotalFiles != 4 || last.TotalBytes != 2003 || last.Bytes > 2003 {
		t.Errorf("progress: %+v", last)
	}
	if got := see(t, dir); got["lost"] != "" || len(got) != 3 {
		t.Errorf("there is %v", got)
	}
	// Another vault has it, or this device.
	for name, more := range map[string]func(*restore.Restore){
		"another vault": func(x *restore.Restore) { x.Past.Sources = append(x.Past.Sources, pasttest.Vault{Vault: f.Vault}) },
		"this device": func(x *restore.Restore) {
			x.Local = func(id entry.BlockID) ([]byte, bool) { return []byte(strings.Repeat("b", 1000)), id == e.Blocks[1].ID }
		},
	} {
		x := into(t, f, tempDir(t))
		x.Past.Sources = []past.Source{half}
		more(x)
		do(t, x, restore.Request{Tree: tree})
		_ = name
	}
	x = into(t, f, tempDir(t))
	x.Past.Sources = []past.Source{half}
	x.Local = func(entry.BlockID) ([]byte, bool) { return []byte("a lie"), true }
	p, err = x.Plan(t.Context(), restore.Request{Tree: tree})
	must(t, err)
	if res, err := x.Run(t.Context(), p); err != nil || len(res.Lost) != 1 || res.Made != 3 {
		t.Errorf("with a liar at hand: %+v, %v", res, err)
	}
}

func TestTheTrueFormOfABlockIsFoundBehindFalseOnes(t *testing.T) {
	f := pasttest.New(t)
	k := f.Keys[1]
	id := k.BlockID([]byte("content"))
	for i := range vault.MaxVariants - 1 {
		forged := slices.Concat([]byte{byte(seal.Raw)}, make([]byte, 40), []byte{byte(i)})
		must(t, f.Vault.PutBlocks(t.Context(), []vault.Block{{ID: id, Epoch: 1, Sealed: forged, From: entry.DeviceID("mallory" + string(rune('0'+i)))}}))
	}
	f.Write("f", "content")
	tree := treeAt(t, f.Past(), f.Moment())
	dir := tempDir(t)
	do(t, into(t, f, dir), restore.Request{Tree: tree})
	if diff := cmp.Diff(shown(f.State()), see(t, dir)); diff != "" {
		t.Error(diff)
	}
}

// failing fails each time, after it has given one block.
type failing struct {
	pasttest.Vault
	calls *atomic.Int32
}

var errCut = errors.New("the line is cut")

func (b failing) Blocks(ctx context.Context, ids []entry.BlockID, form int, got func(int, []byte) error) error {
	b.calls.Add(1)
	if err := b.Vault.Blocks(ctx, ids[:1], form, got); err != nil {
		return err
	}
	return errCut
}

func TestASourceThatFailsIsNotAskedForEver(t *testing.T) {
	f := pasttest.New(t)
	f.Block = 16
	r := rand.New(rand.NewPCG(5, 5))
	for i := range 40 {
		b := make([]byte, 9000)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		f.Write(entry.Path(rune('A'+i)), string(b))
	}
	tree := treeAt(t, f.Past(), f.Moment())
	var calls atomic.Int32
	x := into(t, f, tempDir(t))
	x.Past.Sources = []past.Source{failing{pasttest.Vault{Vault: f.Vault}, &calls}, pasttest.Vault{Vault: f.Vault}}
	do(t, x, restore.Request{Tree: tree})
	if n := calls.Load(); n < 1 || n > 8 {
		t.Errorf("asked %d times", n)
	}
	x = into(t, f, tempDir(t))
	x.Past.Sources = x.Past.Sources[:0]
	x.Past.Sources = append(x.Past.Sources, failing{pasttest.Vault{Vault: f.Vault}, &calls})
	p, err := x.Plan(t.Context(), restore.Request{Tree: tree})
	must(t, err)
	res, err := x.Run(t.Context(), p)
	must(t, err)
	if len(res.Lost) != 40 {
		t.Errorf("%d lost", len(res.Lost))
	}
	if !slices.ContainsFunc(res.Lost, func(s restore.Skipped) bool { return errors.Is(s.Err, errCut) }) {
		t.Errorf("why: %v", res.Lost[0].Err)
	}
}

func TestASampleIsDrawnWithinItsBounds(t *testing.T) {
	f := pasttest.New(t)
	for i := range 20 {
		f.Write(entry.Path(rune('A'+i)), strings.Repeat("x", 10+i))
	}
	f.Mkdir("d", 0o700)
	tree := treeAt(t, f.Past(), f.Moment())
	for name, c := range map[string]struct {
		s    restore.Sample
		want int64
	}{
		"all": {restore.Sample{}, 20}, "five": {restore.Sample{Files: 5}, 5}, "one byte": {restore.Sample{Bytes: 1}, 1},
	} {
		c.s.Tree, c.s.Rand = tree, rand.New(rand.NewPCG(1, 2))
		got, err := restore.Compare(t.Context(), f.Past(), c.s)
		must(t, err)
		if got.Files != c.want || len(got.Bad) > 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// lying is a target whose disk does not give back what was written.
type lying struct{ *restore.Directory }

func (l lying) Stage(name string) (restore.Staged, error) {
	s, err := l.Directory.Stage(name)
	return lyingFile{s}, err
}

func (l lying) Place(p entry.Path, s restore.Staged, m tree.Meta, expect *restore.Lies) error {
	return l.Directory.Place(p, s.(lyingFile).Staged, m, expect)
}

type lyingFile struct{ restore.Staged }

func (l lyingFile) WriteAt(b []byte, off int64) (int, error) {
	b = slices.Clone(b)
	b[len(b)/2] ^= b[len(b)/2] & 1 // it loses the lowest bit
	return l.Staged.WriteAt(b, off)
}

func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	f := pasttest.New(t)
	f.Write("hurt", strings.Repeat("a", 2500))
	f.Write("short", "a")
	f.Write("lucky", strings.Repeat("b", 2500))
	f.Write("empty", "")
	tree := treeAt(t, f.Past(), f.Moment())
	dir := tempDir(t)
	x := into(t, f, dir)
	x.Target = lying{x.Target.(*restore.Directory)}
	p, err := x.Plan(t.Context(), restore.Request{Tree: tree})
	must(t, err)
	res, err := x.Run(t.Context(), p)
	must(t, err)
	if len(res.Failed) != 2 || res.Made != 2 {
		t.Errorf("result: %+v", res)
	}
	for _, s := range res.Failed {
		if s.Path != "hurt" && s.Path != "short" || !errors.Is(s.Err, restore.ErrVerify) {
			t.Errorf("%q failed: %v", s.Path, s.Err)
		}
	}
	if got := see(t, dir); len(got) != 2 || got["hurt"]+got["short"] != "" {
		t.Errorf("there is %v", got)
	}
}
