package past

import (
	"bytes"
	"slices"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/folder/merge"
)

// This file decides, without any I/O, what was at a path of which several
// versions are known. It follows package merge: what it finds is what devices
// that all held these versions would have settled on.

// newest leaves out the versions that another has seen, and second copies of
// one. Of two payloads under equal vectors, which only a liar can have made,
// both stay.
func newest(vs []*entry.Entry) []*entry.Entry {
	var out []*entry.Entry
	for _, v := range vs {
		seen := slices.ContainsFunc(vs, func(o *entry.Entry) bool { return v.Version.Compare(o.Version) == version.Before })
		again := slices.ContainsFunc(out, func(o *entry.Entry) bool { return sameVersion(v, o) })
		if !seen && !again {
			out = append(out, v)
		}
	}
	return out
}

func sameVersion(a, b *entry.Entry) bool {
	return a.Version.Compare(b.Version) == version.Equal && a.Epoch == b.Epoch && a.SamePayload(b)
}

// first tells whether a comes before b of the versions of a path: the one that
// beats the other, and an order of their contents where none does.
func first(a, b *entry.Entry) int {
	switch {
	case a.Version.Beats(b.Version):
		return -1
	case b.Version.Beats(a.Version):
		return 1
	}
	x, y := a.Digest(), b.Digest()
	if c := bytes.Compare(x[:], y[:]); c != 0 {
		return c
	}
	return int(a.Mode) - int(b.Mode)
}

// settle says what is at a path of which these versions were newest, nil if
// nothing is. living: something lives below it, so it is a directory. others
// are versions that lose it and hold content of their own.
//
// Of versions that have not seen each other the one with the larger clock wins.
// An edit outlives a delete that has not seen it, unless that removed just its
// bytes.
func settle(vs []*entry.Entry, living bool) (at *entry.Entry, others []*entry.Entry) {
	vs = newest(vs)
	slices.SortFunc(vs, first)
	alive := slices.DeleteFunc(slices.Clone(vs), func(v *entry.Entry) bool { return !v.Lives() || removed(v, vs) })
	for _, v := range alive {
		if at == nil && (!living || v.Kind == entry.Directory) {
			at = v
		}
	}
	for _, v := range alive {
		known := func(o *entry.Entry) bool { return o.Epoch == v.Epoch && o.SameContent(v) }
		if v != at && merge.HoldsContent(v) && (at == nil || !known(at)) && !slices.ContainsFunc(others, known) {
			others = append(others, v)
		}
	}
	return at, others
}

// removed tells whether a delete takes v away that has not seen it: one that
// beats it and removes its bytes, or any that beats it where there are none.
func removed(v *entry.Entry, vs []*entry.Entry) bool {
	return slices.ContainsFunc(vs, func(o *entry.Entry) bool {
		return o.Kind == entry.Deleted && o.Version.Beats(v.Version) && (!merge.HoldsContent(v) || o.Removes(v))
	})
}
