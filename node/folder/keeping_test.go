package folder_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/folder"
	"github.com/kithmesh/kith/node/tree"
	"github.com/kithmesh/kith/node/vault"
	"github.com/kithmesh/kith/protocol/seal"
)

// past is the history of one device: a vault, and how far it was told.
type past struct {
	w *world
	v *vault.Vault
	k *seal.Keys

	mu      sync.Mutex
	err     error // of Keep
	index   uint64
	through entry.Sequence
	told    []entry.Path
	before  func() // is called in Keep
}

// remembers gives a device a history, before it is up.
func (w *world) remembers(d *device) *past {
	w.t.Helper()
	v, err := vault.Open(vault.Options{Dir: filepath.Join(d.home, "past"), Folder: w.id, Partial: true, Rolling: true})
	w.must(err)
	k, err := seal.Derive(w.id, 1, w.key)
	w.must(err)
	p := &past{w: w, v: v, k: k}
	w.t.Cleanup(func() { d.down(); _ = v.Close() })
	before := d.options
	d.options = func(o *folder.Options) {
		if before != nil {
			before(o)
		}
		o.History = p
	}
	return p
}

func (p *past) Keep(ctx context.Context, old []folder.Old) error {
	p.mu.Lock()
	err, before := p.err, p.before
	p.mu.Unlock()
	if before != nil {
		before()
	}
	if err != nil {
		return err
	}
	var all []vault.Content
	for _, o := range old {
		all = append(all, vault.Content{Record: o.Record, Read: o.Blocks})
	}
	err = p.v.Keep(ctx, all)
	if vault.IsFull(err) {
		return fmt.Errorf("%w: %w", folder.ErrHistoryFull, err)
	}
	return err
}

func (p *past) Record(ctx context.Context, versions []*seal.Record, index uint64, through entry.Sequence) error {
	var all []vault.Received
	for _, r := range versions {
		all = append(all, vault.Received{Record: r})
	}
	if err := p.v.Put(ctx, nil, all); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range versions {
		e, err := p.k.OpenRecord(r)
		if err != nil {
			return err
		}
		p.told = append(p.told, e.Path)
	}
	p.index, p.through = index, through
	return nil
}

func (p *past) Recorded(index uint64) entry.Sequence {
	p.mu.Lock()
	defer p.mu.Unlock()
	if index != p.index {
		return 0
	}
	return p.through
}

func (p *past) fails(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
}

// at is called before anything is kept.
func (p *past) at(fn func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.before = fn
}

// remembered is what the history holds of a path, in the order of receipt: what
// each version was, and its content where all of it is there.
func (p *past) remembered(path entry.Path) (out []string) {
	p.w.t.Helper()
	for h, err := range p.v.Since(0) {
		p.w.must(err)
		e, err := p.k.OpenRecord(h.Record)
		p.w.must(err)
		if e.Path != path {
			continue
		}
		text, whole := "", true
		for _, b := range e.Blocks {
			sealed, err := p.v.Block(b.ID)
			if err != nil {
				whole = false
				break
			}
			plain, err := p.k.OpenBlock(nil, b.ID, sealed)
			p.w.must(err)
			text += string(plain)
		}
		if !whole {
			text = "?"
		}
		out = append(out, strings.TrimSpace(e.Kind.String()+" "+text+e.Target))
	}
	return out
}

// awaits waits until the history says so.
func (p *past) awaits(path entry.Path, want ...string) {
	p.w.t.Helper()
	var got []string
	for late := time.Now().Add(deadline); time.Now().Before(late); {
		if got = p.remembered(path); slices.Equal(got, want) {
			return
		}
		<-time.After(20 * time.Millisecond)
	}
	p.w.t.Fatalf("the history of %q: %q, want %q", path, got, want)
}

// remembering are two devices of which the second keeps its history.
func remembering(t *testing.T) (w *world, a, b *hand, p *past) {
	t.Helper()
	w = newWorld(t, "anna", "ben")
	p = w.remembers(w.all[1])
	a, b = handOf(w.all[0]), handOf(w.all[1])
	a.up()
	b.up()
	w.link(a.device, b.device)
	return w, a, b, p
}

func TestWhatGoesBecauseOfAnotherDeviceIsKeptBefore(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("all work and no play. ", 100_000)
	for _, tt := range []struct {
		name   string
		before func(d *hand)
		change func(d *hand)
		path   entry.Path
		want   string
	}{
		{"a delete", func(d *hand) { d.write("f", "old") }, func(d *hand) { d.remove("f") }, "f", "file old"},
		{"an edit", func(d *hand) { d.write("f", "old") }, func(d *hand) { d.write("f", "new") }, "f", "file old"},
		{"a large file", func(d *hand) { d.write("f", large) }, func(d *hand) { d.write("f", large[:1000]) }, "f", "file " + strings.TrimSpace(large)},
		{"a symlink", func(d *hand) { d.symlink("l", "target") }, func(d *hand) { d.remove("l") }, "l", "symlink target"},
		{"a file that becomes a directory", func(d *hand) { d.write("f", "old") }, func(d *hand) { d.remove("f"); d.write("f/g", "new") }, "f", "file old"},
		{"a directory with what is in it", func(d *hand) { d.write("d/e/f", "old") }, func(d *hand) { d.remove("d") }, "d/e/f", "file old"},
		{"the directory itself", func(d *hand) { d.write("d/f", "old") }, func(d *hand) { d.remove("d") }, "d", "directory"},
		{"a new mode", func(d *hand) { d.write("f", "old") }, func(d *hand) { d.chmod("f", 0o600) }, "f", "file ?"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, a, b, p := remembering(t)
			tt.before(a)
			w.settle()
			tt.change(a)
			w.settle()
			w.agree()
			if got := p.remembered(tt.path); len(got) == 0 || got[0] != tt.want {
				t.Errorf("the history of %q: %.200q, want %.200q first", tt.path, got, tt.want)
			}
			if s := b.folder.Status(); len(s.Problems) > 0 {
				t.Errorf("problems: %v", s.Problems)
			}
		})
	}
}

func TestNothingGoesBeforeItIsKept(t *testing.T) {
	t.Parallel()
	w, a, b, p := remembering(t)
	a.write("f", "old")
	a.write("g", "old too")
	w.settle()
	p.fails(errors.New("the disk says no"))
	a.write("f", "new")
	a.remove("g")
	a.quiet()
	b.await("the problem", func(s folder.Status) bool { return has(s.Problems, "cannot_keep") && len(s.Problems) == 2 })
	if f := b.files(); !holds(f, "old") || !holds(f, "old too") {
		t.Errorf("it has gone: %v", f)
	}
	p.fails(nil)
	w.settle()
	w.agree()
	if got := p.remembered("g"); len(got) == 0 || got[0] != "file old too" {
		t.Errorf("the history: %q", got)
	}
}

func has(all []folder.Problem, code string) bool {
	return slices.ContainsFunc(all, func(p folder.Problem) bool { return p.Code == code })
}

func TestAFullHistoryStopsNothingAndIsShown(t *testing.T) {
	t.Parallel()
	w, a, b, p := remembering(t)
	p.v.SetLimits(vault.Limits{Quota: 1})
	a.write("f", "old")
	w.settle()
	a.write("f", "newer")
	w.settle()
	w.agree()
	b.await("the condition", func(s folder.Status) bool { return has(s.Problems, "history_full") })
	p.v.SetLimits(vault.Limits{})
	a.remove("f")
	w.settle()
	w.agree()
	b.await("the end of it", func(s folder.Status) bool { return !has(s.Problems, "history_full") })
	if got := p.remembered("f"); len(got) == 0 || got[0] != "file newer" {
		t.Errorf("the history: %q", got)
	}
}

func TestAPersonWhoIsThereFirstIsFirst(t *testing.T) {
	t.Parallel()
	w, a, b, p := remembering(t)
	a.write("f", "old")
	a.write("g", "old")
	w.settle()
	var once sync.Once
	p.at(func() { once.Do(func() { b.write("f", "by ben") }) })
	a.remove("f")
	a.remove("g")
	a.quiet()
	w.settle()
	if f := w.agree(); !holds(f, "by ben") || len(f) != 1 {
		t.Errorf("files: %v", f)
	}
	if got := p.remembered("g"); len(got) == 0 || got[0] != "file old" {
		t.Errorf("the history: %q", got)
	}
}

func TestWhatIsNotAsItWasOnDiskHoldsUpNothing(t *testing.T) {
	t.Parallel()
	w, a, b, p := remembering(t)
	a.write("f", "old")
	a.write("g", "old too")
	w.settle()
	b.decays("f")
	a.remove("f")
	a.remove("g")
	a.quiet()
	w.settle()
	if f := w.agree(); len(f) != 0 {
		t.Errorf("files: %v", f)
	}
	if got := p.remembered("g"); len(got) == 0 || got[0] != "file old too" {
		t.Errorf("the history: %q", got)
	}
}

// decays has the index believe that a file is what it was, though its bytes have
// changed.
func (h *hand) decays(p string) {
	h.w.t.Helper()
	h.down()
	st, err := os.Stat(h.path(p))
	h.w.must(err)
	h.w.must(os.WriteFile(h.path(p), []byte("rot"), st.Mode()))
	h.w.must(os.Chtimes(h.path(p), st.ModTime(), st.ModTime()))
	t, err := tree.Open(h.root, h.w.id)
	h.w.must(err)
	now, err := t.Lstat(entry.Path(p))
	h.w.must(errors.Join(err, t.Close()))
	h.w.must(h.db.Update(func(tx *index.Tx) error {
		x, err := tx.Folder(h.w.id)
		if err != nil {
			return err
		}
		e, err := x.Get(entry.Path(p))
		if err != nil {
			return err
		}
		e.Disk = now.Disk
		return x.Touch(e)
	}))
	h.up()
	h.w.link(h.w.all[0], h.device)
}

func TestARevertedEditIsKeptBesideItsPath(t *testing.T) {
	t.Parallel()
	w, a, b, p := remembering(t)
	a.write("f", "the folder's")
	w.settle()
	b.become(entry.RoleReceive)
	b.write("f", "by ben")
	b.write("n", "new by ben")
	b.quiet()
	b.does("revert", func(ctx context.Context) error { _, err := b.folder.Revert(ctx, "", false); return err })
	b.await("the revert", func(s folder.Status) bool { return s.LocalEdits == 0 && s.Quiet })
	w.settle()
	w.agree()
	found := map[string]string{}
	for s, err := range p.v.Current() {
		w.must(err)
		e, err := p.k.OpenRecord(s.Newest[0].Record)
		w.must(err)
		if strings.Contains(string(e.Path), "(not told)") {
			all := p.remembered(e.Path)
			found[string(e.Path[:1])] = strings.Join(all, ", ")
		}
	}
	for path, want := range map[string]string{"f": "file by ben, deleted", "n": "file new by ben, deleted"} {
		if found[path] != want {
			t.Errorf("what was reverted of %q: %q, want %q", path, found[path], want)
		}
	}
	p.awaits("f", "file ?")
}

func TestWhatAResolvedConflictTakesAwayIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "anna", "ben")
	p := w.remembers(w.all[1])
	a, b := handOf(w.all[0]), handOf(w.all[1])
	a.up()
	b.up()
	b.write("f", "by ben")
	b.quiet()
	a.write("f", "by anna")
	a.quiet()
	w.link(a.device, b.device)
	w.settle()
	copies := b.conflicts("")[0].Copies
	b.resolve("", folder.KeepMain)
	w.settle()
	w.agree()
	if got := p.remembered(copies[0].Path); len(got) == 0 || got[0] != "file by ben" {
		t.Errorf("the history of %q: %q", copies[0].Path, got)
	}
}

func TestTheHistoryIsToldOfAllVersions(t *testing.T) {
	t.Parallel()
	w, a, b, p := remembering(t)
	for i := range 30 {
		a.write(fmt.Sprintf("d/%02d", i), fmt.Sprint("by anna ", i))
		b.write(fmt.Sprintf("e/%02d", i), fmt.Sprint("by ben ", i))
	}
	w.settle()
	for i := range 30 {
		p.awaits(entry.Path(fmt.Sprintf("d/%02d", i)), "file ?")
		p.awaits(entry.Path(fmt.Sprintf("e/%02d", i)), "file ?")
	}
	p.awaits("d", "directory")
	b.remove("e/07")
	b.quiet()
	p.awaits("e/07", "file ?", "deleted")
	w.cut(a.device, b.device)
	b.down()
	p.mu.Lock()
	told := len(p.told)
	p.mu.Unlock()
	b.up()
	b.write("after", "a restart")
	b.quiet()
	p.awaits("after", "file ?")
	w.cut(a.device, b.device)
	b.down() // and nothing more is told
	if again := p.told[told:]; !slices.Equal(again, []entry.Path{"after"}) {
		t.Errorf("after a restart it is told of %q", again)
	}
}

func TestAnEditedFileIsKeptForItsNextEdit(t *testing.T) {
	t.Parallel()
	w, _, b, p := remembering(t)
	b.write("f", "first")
	w.settle()
	p.awaits("f", "file ?")
	b.write("f", "second")
	b.quiet()
	p.awaits("f", "file ?", "file second")
	b.write("f", "third")
	b.quiet()
	p.awaits("f", "file ?", "file second", "file ?")
}

func TestAnIndexThatWasSetBackTellsItsHistoryAnew(t *testing.T) {
	t.Parallel()
	w, a, b, p := remembering(t)
	a.write("f", "content")
	w.settle()
	p.awaits("f", "file ?")
	w.cut(a.device, b.device)
	b.down()
	p.mu.Lock()
	p.through += 1000
	p.mu.Unlock()
	b.up()
	b.write("g", "content")
	b.quiet()
	p.awaits("g", "file ?")
	w.cut(a.device, b.device)
	b.down()
	if !slices.Equal(p.told, []entry.Path{"f", "f", "g"}) {
		t.Errorf("told of %q", p.told)
	}
}
