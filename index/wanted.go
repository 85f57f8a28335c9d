package index

import (
	"fmt"
	"iter"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/proto/diskpb"
)

// Want is a version that is known and not held.
type Want struct {
	// Entry is what was announced. Of the local facts it has only Absent.
	Entry entry.Entry
	// Tellers are the devices that announced just this version, and in which
	// sequence of theirs.
	Tellers map[entry.DeviceID]entry.Sequence
	// Released: a person has approved that this version is applied, although
	// it was held.
	Released bool
}

// best is the one of w that beats all others, nil if there is none.
func best(w []Want) *Want {
	var b *Want
	for i := range w {
		if b == nil || w[i].Entry.Version.Beats(b.Entry.Version) {
			b = &w[i]
		}
	}
	return b
}

// Wanted is what is known of p and not held, in the order of SetWanted.
func (f *Folder) Wanted(p entry.Path) ([]Want, error) {
	if p == "" {
		return nil, nil
	}
	w, err := f.getWanted(appendPathKey(nil, p))
	if err != nil {
		return nil, fmt.Errorf("wanted of %q: %w", p, err)
	}
	return w, nil
}

func (f *Folder) getWanted(key []byte) ([]Want, error) {
	row, err := f.wanted.get(key)
	if err != nil || row == nil {
		return nil, err
	}
	return f.parseWanted(key, row)
}

// SetWanted replaces what is wanted of p; the empty list removes it. Each
// entry must be a valid one of that path, whose version is known; its Sequence
// and Disk are not kept.
func (f *Folder) SetWanted(p entry.Path, w []Want) error {
	if err := f.setWanted(p, w); err != nil {
		return fmt.Errorf("want %q: %w", p, err)
	}
	return nil
}

func (f *Folder) setWanted(p entry.Path, w []Want) error {
	if err := f.tx.mayWrite(); err != nil {
		return err
	}
	if _, err := entry.ParsePath(string(p)); err != nil {
		return err
	}
	key := appendPathKey(nil, p)
	old, err := f.getWanted(key)
	if err != nil {
		return err
	}
	if len(w) == 0 && len(old) == 0 {
		return nil
	}
	if len(w) == 0 {
		err = f.wanted.delete(key)
	} else {
		err = f.putWanted(key, p, w)
	}
	if err != nil {
		return err
	}
	f.countWanted(old, -1)
	f.countWanted(w, 1)
	return nil
}

func (f *Folder) countWanted(w []Want, n int64) {
	if b := best(w); b != nil {
		f.state.wanted.Paths += n
		f.state.wanted.Bytes += n * b.Entry.Size
	}
}

func (f *Folder) putWanted(key []byte, p entry.Path, w []Want) error {
	m := &diskpb.IndexWanted{Wants: make([]*diskpb.IndexWant, len(w))}
	for i := range w {
		e := w[i].Entry
		e.Sequence, e.Disk = 0, entry.Disk{}
		if err := e.Check(); err != nil {
			return err
		}
		if e.Path != p || e.Unknown {
			return fmt.Errorf("%w: wanted as %q, unknown: %t", entry.ErrEntry, e.Path, e.Unknown)
		}
		row, err := f.codec.append(make([]byte, 0, rowSize(&e)), key, &e, 0)
		if err != nil {
			return err
		}
		tellers, err := f.tellersToDisk(w[i].Tellers)
		if err != nil {
			return err
		}
		m.Wants[i] = &diskpb.IndexWant{Entry: row, Tellers: tellers, Released: w[i].Released}
	}
	row, err := proto.MarshalOptions{}.MarshalAppend(make([]byte, 0, proto.Size(m)+sumSize), m)
	if err != nil {
		return err
	}
	return f.wanted.put(key, row)
}

func (f *Folder) tellersToDisk(tellers map[entry.DeviceID]entry.Sequence) ([]*diskpb.IndexTeller, error) {
	if len(tellers) == 0 {
		return nil, nil
	}
	out := make([]*diskpb.IndexTeller, 0, len(tellers))
	for _, d := range slices.Sorted(maps.Keys(tellers)) {
		code, err := f.devices.code(d)
		if err != nil {
			return nil, err
		}
		t := &diskpb.IndexTeller{Device: code, Sequence: uint64(tellers[d])}
		if code == 0 {
			t.Id = string(d)
		}
		out = append(out, t)
	}
	return out, nil
}

func (f *Folder) parseWanted(key, row []byte) ([]Want, error) {
	var m diskpb.IndexWanted
	if err := proto.Unmarshal(row, &m); err != nil {
		return nil, f.tx.damaged("wanted of %q: %v", key, err)
	}
	w := make([]Want, len(m.Wants))
	for i, d := range m.Wants {
		e, _, err := f.parse(key, d.GetEntry())
		if err != nil {
			return nil, err
		}
		tellers, err := f.tellersFromDisk(d.GetTellers())
		if err != nil {
			return nil, err
		}
		w[i] = Want{Entry: *e, Tellers: tellers, Released: d.GetReleased()}
	}
	return w, nil
}

func (f *Folder) tellersFromDisk(tellers []*diskpb.IndexTeller) (map[entry.DeviceID]entry.Sequence, error) {
	out := make(map[entry.DeviceID]entry.Sequence, len(tellers))
	for _, t := range tellers {
		d := entry.DeviceID(t.GetId())
		if code := t.GetDevice(); code != 0 {
			var ok bool
			var err error
			if d, ok, err = f.devices.value(code); err != nil {
				return nil, err
			} else if !ok {
				return nil, f.tx.damaged("no device has code %d", code)
			}
		}
		out[d] = entry.Sequence(t.GetSequence())
	}
	return out, nil
}

// WantedRange yields what Wanted returns for each path that has any, in tree
// order from the first that is not before from.
func (f *Folder) WantedRange(from entry.Path) iter.Seq2[[]Want, error] {
	return func(yield func([]Want, error) bool) {
		c := f.wanted.cursor()
		err := c.seek(appendPathKey(nil, from))
		for ; err == nil && c.key != nil; err = c.next() {
			w, err := f.parseWanted(c.key, c.body)
			if !yield(w, err) || err != nil {
				return
			}
		}
		if err != nil {
			yield(nil, fmt.Errorf("wanted from %q: %w", from, err))
		}
	}
}

// WantedTotals counts what WantedRange yields.
func (f *Folder) WantedTotals() WantedTotals { return f.state.wanted }
