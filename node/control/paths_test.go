package control_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/control/controltest"
)

func knownPaths() controltest.Paths {
	return controltest.Paths{
		Steps: []control.GetProgress{
			{Files: 4, NeedFiles: 3, Bytes: 20, NeedBytes: 10, Problems: []control.Problem{{Path: "a\xff", Code: "waiting", Message: "m", Hint: "h"}}},
			{Files: 4, Bytes: 20, Problems: []control.Problem{}},
		},
		Freed: control.Freed{
			Files: 12, Bytes: 41, Kept: 2,
			Reasons: []control.Kept{{Code: "pinned", Message: "it is pinned", Paths: []string{"Documents/a\xfe", "Documents/b"}, Files: 2}},
			Copies:  []control.Proof{{Identity: phone, Files: 3, Answer: "not connected"}},
		},
		Reverted: control.Reverted{Paths: []string{"Documents/\xff", "Documents/z"}},
		Explanation: control.Explanation{
			Folder: docs, Path: "a/\xfeb", Kind: entry.Symlink, Where: control.LocalEdit, Version: "laptop, yesterday",
			Holders: []control.Identity{phone, laptop},
			Causes:  []control.Problem{{Path: "a/\xfeb", Code: "disk_full", Message: "the disk is full", Hint: "make room"}},
		},
	}
}

// manyPaths needs several messages.
func manyPaths() []control.PathEntry {
	wheres := []control.Whereabouts{control.Here, control.Elsewhere, control.Coming, control.LocalEdit, ""}
	var out []control.PathEntry
	for i := range 1000 {
		out = append(out, control.PathEntry{
			Folder: docs, Path: fmt.Sprintf("dir\xff/%d", i), Kind: entry.Kind(i % 5), Size: int64(i), ModTime: noon,
			Where: wheres[i%5], Pinned: i%2 == 0, Holders: []control.Identity{phone}[:i%2],
		})
	}
	return out
}

func TestEveryAnswerAboutPathsCrossesTheSocketWhole(t *testing.T) {
	d := &controltest.Device{Paths: knownPaths()}
	d.Paths.Listed = manyPaths()
	c := dial(t, serve(t, d))
	ctx := t.Context()
	at := control.Place{Text: "./\xffa", Absolute: "/home/me/\xffa"}

	var listed []control.PathEntry
	err := c.List(ctx, control.ListRequest{Place: at, All: true}, func(e control.PathEntry) error { listed = append(listed, e); return nil })
	expect(t, "List", d.Paths.Listed, listed, err)
	var steps []control.GetProgress
	err = c.Get(ctx, control.GetRequest{Places: []control.Place{at}, Pin: true}, func(p control.GetProgress) error { steps = append(steps, p); return nil })
	expect(t, "Get", d.Paths.Steps, steps, err)
	freed, err := c.Free(ctx, control.FreeRequest{Places: []control.Place{at, {Text: "b"}}, Copies: 2, DryRun: true})
	expect(t, "Free", d.Paths.Freed, freed, err)
	reverted, err := c.Revert(ctx, control.RevertRequest{Places: []control.Place{at}, DryRun: true})
	expect(t, "Revert", d.Paths.Reverted, reverted, err)
	why, err := c.Why(ctx, at)
	expect(t, "Why", d.Paths.Explanation, why, err)

	expect(t, "the device was asked", []string{
		"List {Place:{Text:./\xffa Absolute:/home/me/\xffa} All:true}",
		"Get {Places:[{Text:./\xffa Absolute:/home/me/\xffa}] Pin:true Unpin:false}",
		"Free {Places:[{Text:./\xffa Absolute:/home/me/\xffa} {Text:b Absolute:}] Copies:2 DryRun:true}",
		"Revert {Places:[{Text:./\xffa Absolute:/home/me/\xffa}] DryRun:true}",
		"Why {Text:./\xffa Absolute:/home/me/\xffa}",
	}, d.Asked(), nil)
}

func TestNothingToListIsNoEntryAndNoError(t *testing.T) {
	c := dial(t, serve(t, &controltest.Device{}))
	err := c.List(t.Context(), control.ListRequest{Place: control.Place{Text: "x"}}, func(e control.PathEntry) error {
		t.Errorf("listed %+v", e)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestWhatListsMayStop(t *testing.T) {
	d := &controltest.Device{Paths: controltest.Paths{Listed: manyPaths()}}
	c := dial(t, serve(t, d))
	enough, n := errors.New("enough"), 0
	err := c.List(t.Context(), control.ListRequest{Place: control.Place{Text: "x"}}, func(control.PathEntry) error { n++; return enough })
	if !errors.Is(err, enough) || n != 1 {
		t.Errorf("after %d entries: %v", n, err)
	}
}

func TestAGetThatWaitsTellsHowFarItCame(t *testing.T) {
	d := &controltest.Device{Paths: knownPaths(), Errors: map[string]error{"Get": fmt.Errorf("get %q: %w", "a", control.ErrWaiting)}}
	c := dial(t, serve(t, d))
	steps := 0
	err := c.Get(t.Context(), control.GetRequest{Places: []control.Place{{Text: "a"}}}, func(control.GetProgress) error { steps++; return nil })
	if !errors.Is(err, control.ErrWaiting) || control.Describe(err).Code != "waiting" || steps != 2 {
		t.Errorf("after %d steps: %v", steps, err)
	}
}

func TestBadRequestsAboutPathsNeverReachTheDevice(t *testing.T) {
	d := &controltest.Device{}
	c := dial(t, serve(t, d))
	ctx := t.Context()
	place := []control.Place{{Text: "a"}}
	get := func(r control.GetRequest) error { return c.Get(ctx, r, nil) }
	cases := map[string]func() error{
		"no place":        func() error { return get(control.GetRequest{}) },
		"an empty place":  func() error { return get(control.GetRequest{Places: make([]control.Place, 1)}) },
		"a relative path": func() error { return get(control.GetRequest{Places: []control.Place{{Absolute: "a"}}}) },
		"a NUL byte":      func() error { return get(control.GetRequest{Places: []control.Place{{Text: "a\x00"}}}) },
		"a long place": func() error {
			return get(control.GetRequest{Places: []control.Place{{Text: strings.Repeat("x", 9999)}}})
		},
		"too many places":         func() error { return get(control.GetRequest{Places: make([]control.Place, 1<<17)}) },
		"pin and unpin":           func() error { return get(control.GetRequest{Places: place, Pin: true, Unpin: true}) },
		"nothing to list":         func() error { return c.List(ctx, control.ListRequest{}, nil) },
		"nothing to explain":      func() error { _, err := c.Why(ctx, control.Place{}); return err },
		"nothing to revert":       func() error { _, err := c.Revert(ctx, control.RevertRequest{}); return err },
		"nothing to free":         func() error { _, err := c.Free(ctx, control.FreeRequest{Copies: 1}); return err },
		"free without a copy":     func() error { _, err := c.Free(ctx, control.FreeRequest{Places: place}); return err },
		"free on negative copies": func() error { _, err := c.Free(ctx, control.FreeRequest{Places: place, Copies: -1}); return err },
		"free on 2^40 copies":     func() error { _, err := c.Free(ctx, control.FreeRequest{Places: place, Copies: 1 << 40}); return err },
	}
	for name, ask := range cases {
		if err := ask(); !errors.Is(err, control.ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", name, err)
		}
	}
	if asked := d.Asked(); len(asked) != 0 {
		t.Errorf("the device was asked %q", asked)
	}
}

// expect compares an answer.
func expect(t *testing.T, what string, want, got any, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
	empty := cmp.Transformer("nil", func(ids []control.Identity) string { return fmt.Sprint(ids) })
	if diff := cmp.Diff(want, got, empty); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
