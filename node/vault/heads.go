package vault

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
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
	far := farPack{store: v.store, name: headsName(f.id), size: f.heads, ahead: readAhead, seen: &v.segments}
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

// allPacks are the packs of the directory and of the store, by number. Of one
// that lies in both, what is here counts, unless it is the beginning of what is
// there, as on a disk that was set back. If there is nothing here, spare are
// those packs of the store that its inventory does not name.
func (v *Vault) allPacks(ctx context.Context) (all, spare []packFile, err error) {
	here, err := v.packFiles()
	if err != nil {
		return nil, nil, err
	}
	far, sizes, err := v.farFiles(ctx)
	if err != nil {
		return nil, nil, err
	}
	if len(here) == 0 && len(far) > 0 {
		in, err := v.lastInventory(sizes)
		if err != nil {
			return nil, nil, err
		}
		for id, f := range far {
			if in != nil && !slices.Contains(in.Packs, packName(id, f.class)) {
				spare = append(spare, f)
				delete(far, id)
			}
		}
	}
	for _, f := range here {
		there, both := far[f.id]
		switch {
		case both && there.class == f.class && there.size == f.size:
		case both && v.isBeginning(f, there):
			if err := v.removePack(f.id, f.class); err != nil {
				return nil, nil, err
			}
		default:
			if both {
				v.log.Error("another pack lies in the store", "dir", v.dir, "pack", f.id.String())
			}
			far[f.id] = f
		}
	}
	return slices.SortedFunc(maps.Values(far), func(a, b packFile) int { return int(a.id) - int(b.id) }), spare, nil
}

// isBeginning tells whether a pack here is how one in the store began.
func (v *Vault) isBeginning(here, there packFile) bool {
	if v.scratch != "" || here.class != there.class || here.size > there.size {
		return false
	}
	local, err := v.openPack(here, 0)
	if err != nil {
		return false
	}
	defer func() { _ = local.Close() }() // only read
	far := farPack{store: v.store, name: packName(there.id, there.class), size: there.size}
	same, err := sameBytes(local, &far, here.size)
	return err == nil && same
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
