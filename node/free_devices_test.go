package node_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/proto/wirepb"
	"github.com/kithmesh/kith/protocol/blocks"
	"github.com/kithmesh/kith/protocol/frame"
	"github.com/kithmesh/kith/protocol/seal"
)

func place(p string) control.Place { return control.Place{Text: p} }

// frees asks to drop what lies at a place, if so many others prove to have it.
func (d *device) frees(p string, copies int) control.Freed {
	d.t.Helper()
	out, err := d.Free(d.t.Context(), control.FreeRequest{Places: []control.Place{place(p)}, Copies: copies})
	if err != nil {
		d.t.Fatalf("free %q on %s: %v", p, d.name, err)
	}
	return out
}

// gets asks for what lies at a place, and waits until it is there or cannot be.
func (d *device) gets(p string) error {
	d.t.Helper()
	return d.Get(d.t.Context(), control.GetRequest{Places: []control.Place{place(p)}}, func(control.GetProgress) error { return nil })
}

// where is where the content of each file of the folder is, for a device.
func (d *device) where() map[string]control.Whereabouts {
	d.t.Helper()
	out := map[string]control.Whereabouts{}
	err := d.List(d.t.Context(), control.ListRequest{Place: place("docs"), All: true}, func(e control.PathEntry) error {
		if e.Kind == entry.File {
			out[e.Path] = e.Where
		}
		return nil
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return out
}

// refused fails unless nothing was freed, for the reason and with the words.
func (f *freeing) refused(code string, words ...string) {
	f.t.Helper()
	text := fmt.Sprintf("%+v", f.Freed)
	i := slices.IndexFunc(f.Reasons, func(k control.Kept) bool { return k.Code == code })
	if f.Files != 0 || i < 0 || slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) }) {
		f.t.Errorf("freed: %s", text)
	}
}

type freeing struct {
	control.Freed
	t testing.TB
}

func TestOnlyConnectedDevicesThatKeepWhatTheyHaveCountAsCopies(t *testing.T) {
	t.Parallel()
	a, b, c := three(t)
	for i := range 5 {
		a.write(fmt.Sprintf("d/%d", i), strings.Repeat(fmt.Sprint("content ", i), 1000))
	}
	same(t, a, b, c)
	free := func(p string, copies int) *freeing { return &freeing{a.frees(p, copies), t} }
	until(t, "all of it to be held by all", func() bool {
		dry, err := a.Free(t.Context(), control.FreeRequest{Places: []control.Place{place("docs/d")}, Copies: 2, DryRun: true})
		return err == nil && dry.Files == 5
	})
	free("docs/d", 3).refused("not_enough_copies", "bert proved 5 files", "cleo proved 5 files")
	if _, err := c.SetRole(t.Context(), control.RoleRequest{Folder: "docs", Role: entry.RoleArchive}); err != nil {
		t.Fatal(err)
	}
	until(t, "the role", func() bool { return a.member(c).Role == entry.RoleArchive })
	free("docs/d", 2).refused("not_enough_copies", "cleo: an archive")
	if dry, err := a.Free(t.Context(), control.FreeRequest{Places: []control.Place{place("docs/d")}, Copies: 1, DryRun: true}); err != nil || dry.Files != 5 {
		t.Errorf("would free %+v, %v", dry, err)
	}
	if got := a.where(); got["d/3"] != control.Here {
		t.Errorf("after a dry run: %v", got)
	}
	if out := a.frees("docs/d/3", 1); out.Files != 1 || out.Bytes != 9000 {
		t.Errorf("freed %+v", out)
	}
	if _, err := os.Lstat(a.at("d/3")); !errors.Is(err, os.ErrNotExist) || a.where()["d/3"] != control.Elsewhere || a.where()["d/2"] != control.Here {
		t.Errorf("%v: %v", err, a.where())
	}
	b.down()
	until(t, "it to be gone", func() bool { p, _ := a.peer(b); return !p.Connected })
	free("docs/d", 1).refused("not_enough_copies", "bert: not connected")
	if err := a.gets("docs/d/3"); !errors.Is(err, control.ErrWaiting) && err != nil {
		t.Errorf("a get of what an archive holds: %v", err)
	}
	down(a)
	again([]*device{c}, b)
	again([]*device{b, c}, a)
	until(t, "the file that was asked for", func() bool { return a.holds("d/3", strings.Repeat("content 3", 1000)) })
	if got := a.where(); got["d/3"] != control.Here {
		t.Errorf("%v", got)
	}
}

// TestALiarIsNoCopy asks a member that proves anything but what it should, and
// in the end one that tells the truth.
func TestALiarIsNoCopy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.mallory
	var mu sync.Mutex
	var before [][]byte // proofs of an earlier nonce
	asked := 0
	lies := map[string]func(out *frame.Writer, nonce [32]byte, sealed []byte) error{
		"a proof of an earlier nonce": func(out *frame.Writer, _ [32]byte, _ []byte) error { asked++; return giveBytes(out, before[asked%2]) },
		"a proof of nothing": func(out *frame.Writer, n [32]byte, _ []byte) error {
			p := blocks.Proof(n, nil)
			return giveBytes(out, p[:])
		},
		"a proof of other bytes": func(out *frame.Writer, n [32]byte, s []byte) error {
			p := blocks.Proof(n, s[1:])
			return giveBytes(out, p[:])
		},
		"the block itself": func(out *frame.Writer, _ [32]byte, s []byte) error { return giveBytes(out, s) },
		"the nonce":        func(out *frame.Writer, n [32]byte, _ []byte) error { return giveBytes(out, n[:]) },
		"half a proof": func(out *frame.Writer, n [32]byte, s []byte) error {
			p := blocks.Proof(n, s)
			return giveBytes(out, p[:16])
		},
		"that it has it not": func(out *frame.Writer, _ [32]byte, _ []byte) error {
			return out.Write(&wirepb.BlockHeader{Status: wirepb.BlockHeader_STATUS_MISSING})
		},
		"that it will not hold it": func(out *frame.Writer, _ [32]byte, _ []byte) error {
			return out.Write(&wirepb.BlockHeader{Status: wirepb.BlockHeader_STATUS_NOT_HELD})
		},
		"the end": func(*frame.Writer, [32]byte, []byte) error { return io.EOF },
	}
	var answer func(out *frame.Writer, nonce [32]byte, sealed []byte) error // streams outlast a lie
	prove := func(one func(out *frame.Writer, nonce [32]byte, sealed []byte) error) {
		mu.Lock()
		defer mu.Unlock()
		answer = one
	}
	m.evil(func(s network.Stream) {
		m.prove(s, []byte("mine"), func(out *frame.Writer, n [32]byte, sealed []byte) error {
			mu.Lock()
			defer mu.Unlock()
			return answer(out, n, sealed)
		})
	})
	prove(func(out *frame.Writer, n [32]byte, s []byte) error { // the truth
		p := blocks.Proof(n, s)
		before = append(before, p[:])
		return giveBytes(out, p[:])
	})
	if dry, err := w.victim.Free(t.Context(), control.FreeRequest{Places: []control.Place{place("docs/keep.txt")}, Copies: 2, DryRun: true}); err != nil || dry.Files != 1 {
		t.Fatalf("asked for the truth: %+v, %v", dry, err)
	}
	for name, lie := range lies {
		prove(lie)
		if out := w.victim.frees("docs/keep.txt", 2); out.Files != 0 || !w.victim.holds("keep.txt", "mine") {
			t.Errorf("%s: freed %+v", name, out)
		}
	}
	prove(func(out *frame.Writer, n [32]byte, s []byte) error {
		p := blocks.Proof(n, s)
		return giveBytes(out, p[:])
	})
	if out := w.victim.frees("docs/keep.txt", 2); out.Files != 1 {
		t.Errorf("of two that told the truth: %+v", out)
	}
	m.evil(m.giveHonestly)
	if err := w.victim.gets("docs/keep.txt"); err != nil || !w.victim.holds("keep.txt", "mine") {
		t.Errorf("got again: %v", err)
	}
}

// prove answers requests for a block of the victim's with what one writes.
func (h *hostile) prove(s network.Stream, plain []byte, one func(out *frame.Writer, nonce [32]byte, sealed []byte) error) {
	defer func() { _ = s.Reset() }()
	sealed, err := h.keys.SealBlock(nil, h.keys.BlockID(plain), plain, seal.Raw)
	if err != nil {
		h.t.Error(err)
	}
	in, out := frame.NewReader(s, 1<<20), frame.NewWriter(s)
	for {
		var r wirepb.BlockRequest
		if err := in.Read(&r); err != nil || len(r.GetNonce()) != 32 {
			return
		}
		for ids := r.GetIds(); len(ids) >= 32; ids = ids[32:] {
			what := sealed
			if id := entry.BlockID(ids); id != h.keys.BlockID(plain) {
				what = id[:] // of the file, which proves itself
			}
			if one(out, [32]byte(r.GetNonce()), what) != nil {
				return
			}
		}
		if out.Flush() != nil {
			return
		}
	}
}
