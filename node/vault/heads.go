package vault

import (
	"bufio"
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
)

// headsOf is the file of heads of a pack of blocks: the pack without what the
// blocks are, so that an index can be rebuilt from the store without having all
// of it. Its error wraps errBad if the pack is not whole.
func (v *Vault) headsOf(f packFile) ([]byte, error) {
	h, err := v.readHeader(f)
	if err != nil {
		return nil, err
	}
	out := h.append(nil)
	m := v.marker()
	err = v.scan(f, packHeader, true, func(e found) error {
		out = append(e.head.append(out, m), e.data...)
		return nil
	})
	return out, err
}

// scanHeads is scan by the file of heads. Its error wraps errBad if that is not
// there, or is not of the pack, and nothing was told then.
func (v *Vault) scanHeads(f packFile, from int64, fn func(found) error) error {
	far := farPack{v: v, ctx: v.life, name: headsName(f.id), size: f.heads, ahead: readAhead}
	all, err := parseHeads(io.NewSectionReader(&far, 0, f.heads), f, v.marker())
	if err != nil {
		return err
	}
	for _, e := range all {
		if int64(e.at.offset) < from {
			continue
		}
		if err := fn(e); err != nil {
			return err
		}
	}
	return nil
}

// parseHeads reads what headsOf wrote for a pack of f.size bytes.
func parseHeads(r io.Reader, f packFile, m marker) (all []found, err error) {
	in := bufio.NewReaderSize(r, 256<<10)
	bad := func(err error) ([]found, error) {
		if errors.Is(err, ErrStore) {
			return nil, err
		}
		return nil, fmt.Errorf("heads of pack %s: %w: %w", f.id, errBad, err)
	}
	if _, err := in.Discard(packHeader); err != nil {
		return bad(err)
	}
	off := int64(packHeader)
	for off < f.size {
		var b [headSize]byte
		if _, err := io.ReadFull(in, b[:]); err != nil {
			return bad(err)
		}
		e := found{at: location{f.id, uint32(off)}}
		if e.head, err = parseHead(b[:], m); err != nil {
			return bad(err)
		}
		if off += e.size(); off > f.size {
			return bad(io.ErrUnexpectedEOF)
		}
		if e.kind != kindBlock {
			if e.data, err = readData(in, e.length); err != nil {
				return bad(err)
			}
			e.bad = !e.holds(e.data)
		}
		all = append(all, e)
	}
	return all, nil
}

// readData reads n bytes, and takes no more memory than there are.
func readData(r io.Reader, n uint32) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, int64(n)))
	if err == nil && len(data) < int(n) {
		err = io.ErrUnexpectedEOF
	}
	return data, err
}

// allPacks are the packs from which an index is made.
type allPacks struct {
	all    []packFile // by number
	spare  []packFile // they do not count
	moment moment     // of the inventory
	head   uint64
}

// allPacks finds the packs of the directory and of the store. Of one that lies
// in both, what is here counts, unless it is the beginning of what is there, as
// on a disk that was set back. If there is nothing here, those packs of the
// store do not count that its inventory does not name.
func (v *Vault) allPacks(ctx context.Context) (p allPacks, err error) {
	here, err := v.packFiles()
	if err != nil {
		return p, err
	}
	far, sizes, err := v.farFiles(ctx)
	if err != nil {
		return p, err
	}
	in, err := v.lastInventory(ctx, sizes)
	if err == nil && in != nil {
		p.moment, p.head = in.Moment+1, in.Head // what was given out with it
		err = v.isComplete(ctx, in, sizes)
	}
	if err != nil {
		return p, err
	}
	if len(here) == 0 && in != nil {
		for id, f := range far {
			if _, named := slices.BinarySearch(in.Packs, packName(id, f.class)); !named {
				p.spare = append(p.spare, f)
				delete(far, id)
			}
		}
	}
	here, old := v.outdated(here, in)
	p.spare = append(p.spare, old...)
	for _, f := range here {
		if far[f.id], err = v.both(f, far[f.id]); err != nil {
			return p, err
		}
	}
	p.all = slices.SortedFunc(maps.Values(far), func(a, b packFile) int { return cmp.Compare(a.id, b.id) })
	return p, nil
}

// outdated tells packs here that an inventory would name if they counted: they
// are of a directory that was set back, and were replaced since. Numbers and
// moments ascend, so all up to the last of it are its to name.
func (v *Vault) outdated(here []packFile, in *inventory) (count, old []packFile) {
	if in == nil || len(in.Packs) == 0 {
		return here, nil
	}
	last := slices.Max(in.Packs)
	for _, f := range here {
		name := packName(f.id, f.class)
		_, named := slices.BinarySearch(in.Packs, name)
		if name < last && !named && !slices.Contains(in.Open, name) && v.endsBefore(f, in) {
			old = append(old, f)
		} else {
			count = append(count, f)
		}
	}
	return count, old
}

// endsBefore tells whether all entries of a pack are of before an inventory of
// the same vault.
func (v *Vault) endsBefore(f packFile, in *inventory) bool {
	h, err := v.readHeader(f)
	if err != nil || hex.EncodeToString(h.vault[:]) != in.Vault || h.moment > in.Moment {
		return false
	}
	before := true
	err = v.scanAll(v.life, f, looking{from: packHeader, heads: true, marker: &h.marker, found: func(e found) error {
		before = before && e.received <= in.Moment
		return nil
	}, gap: func(int64, int64) { before = false }})
	return err == nil && before
}

// both is what counts of a pack that lies here, and perhaps in the store: there
// has no number if not.
func (v *Vault) both(here, there packFile) (packFile, error) {
	switch {
	case there.id == 0:
		return here, nil
	case there.class == here.class && there.size == here.size:
		here.stowed = true // Stow looks whether it is the same
		return here, nil
	}
	is, err := v.isBeginning(here, there)
	if is {
		there.far = true
		return there, err
	}
	if err == nil {
		v.log.Error("another pack lies in the store", "dir", v.dir, "pack", here.id.String())
	}
	return here, err
}

// isComplete tells whether a list of the store has all that its inventory names,
// but for what the store says is missing.
func (v *Vault) isComplete(ctx context.Context, in *inventory, listed map[string]int64) error {
	place := v.place()
	ctx, cancel := v.bound(ctx)
	defer cancel()
	for _, name := range in.Packs {
		if _, is := listed[name]; is {
			continue
		}
		err := place.ReadAt(ctx, name, make([]byte, 1), 0)
		if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: its list leaves %s out, which is there (%v)", ErrStore, name, err)
		}
		v.log.Error("a pack is missing in the store", "dir", v.dir, "name", name)
	}
	return nil
}

// isBeginning tells whether a pack here is how one in the store began.
func (v *Vault) isBeginning(here, there packFile) (bool, error) {
	if v.scratch != "" || here.class != there.class || here.size > there.size {
		return false, nil
	}
	local, err := v.openPack(v.life, here, 0)
	if err != nil {
		return false, err
	}
	defer func() { _ = local.Close() }() // only read
	far := farPack{v: v, ctx: v.life, name: packName(there.id, there.class), size: there.size}
	return sameBytes(local, &far, here.size)
}

// sameBytes compares the first n bytes of two.
func sameBytes(a, b io.ReaderAt, n int64) (bool, error) {
	const piece = 1 << 20
	x, y := make([]byte, min(n, piece)), make([]byte, min(n, piece))
	for off := int64(0); off < n; off += piece {
		k := min(n-off, piece)
		if _, err := a.ReadAt(x[:k], off); err != nil && !errors.Is(err, io.EOF) {
			return false, err
		}
		if _, err := b.ReadAt(y[:k], off); err != nil && !errors.Is(err, io.EOF) {
			return false, err
		}
		if string(x[:k]) != string(y[:k]) {
			return false, nil
		}
	}
	return true, nil
}
