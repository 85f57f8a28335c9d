package index

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// maxDepth bounds the height of a tree: levels have two children or more.
const maxDepth = 40

// pageFile reads nodes, none of them twice.
type pageFile struct {
	r        io.ReaderAt
	pageSize int64
	high     uint64
	used     []uint64 // a bit for each page
	spare    [][]byte
}

// claim marks pages as used, and fails where one is already.
func (f *pageFile) claim(id, count uint64) error {
	if id < 2 || id >= f.high || count > f.high-id {
		return badPage(id, "not within the file")
	}
	for i := id; i < id+count; i++ {
		if f.used[i/64]&(1<<(i%64)) != 0 {
			return badPage(i, "used twice")
		}
		f.used[i/64] |= 1 << (i % 64)
	}
	return nil
}

// read claims and reads page id with all that flows over from it. The buffer
// is to be given back to f.spare.
func (f *pageFile) read(id uint64) ([]byte, error) {
	if err := f.claim(id, 1); err != nil {
		return nil, err
	}
	var buf []byte
	if n := len(f.spare); n > 0 {
		buf, f.spare = f.spare[n-1], f.spare[:n-1]
	}
	buf = append(buf[:0], make([]byte, f.pageSize)...)
	if _, err := f.r.ReadAt(buf, int64(id)*f.pageSize); err != nil {
		return nil, readError(id, err)
	}
	if got := binary.NativeEndian.Uint64(buf); got != id {
		return nil, badPage(id, "calls itself %d", got)
	}
	over := uint64(binary.NativeEndian.Uint32(buf[12:]))
	if over == 0 {
		return buf, nil
	}
	if err := f.claim(id+1, over); err != nil {
		return nil, err
	}
	buf = append(buf, make([]byte, int64(over)*f.pageSize)...)
	if _, err := f.r.ReadAt(buf[f.pageSize:], int64(id+1)*f.pageSize); err != nil {
		return nil, readError(id, err)
	}
	return buf, nil
}

func readError(id uint64, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return badPage(id, "cut off")
	}
	return fmt.Errorf("read page %d: %w", id, err)
}

// elementFunc is given the elements of a tree in order. Its arguments are
// valid until it returns.
type elementFunc func(key, value []byte, isBucket bool) error

// tree walks the tree at page root.
func (f *pageFile) tree(root uint64, fn elementFunc) error {
	return f.subtree(root, nil, nil, maxDepth, fn)
}

// subtree walks the pages below id, whose keys must lie within [low, high);
// nil is no bound.
func (f *pageFile) subtree(id uint64, low, high []byte, depth int, fn elementFunc) error {
	if depth == 0 {
		return badPage(id, "too deep")
	}
	buf, err := f.read(id)
	if err != nil {
		return err
	}
	defer func() { f.spare = append(f.spare, buf) }()
	n, err := parseNode(id, buf)
	if err != nil {
		return err
	}
	if n.leaf {
		return n.elements(low, high, fn)
	}
	key, child, err := n.branch(0)
	for i := 0; err == nil && i < n.count; i++ {
		end, next := high, uint64(0)
		if i+1 < n.count {
			if end, next, err = n.branch(i + 1); err != nil {
				return err
			}
		}
		if bytes.Compare(key, low) < 0 || end != nil && bytes.Compare(key, end) >= 0 {
			return badPage(id, "keys out of order")
		}
		if err := f.subtree(child, key, end, depth-1, fn); err != nil {
			return err
		}
		key, child = end, next
	}
	return err
}

// elements calls fn for each element of a leaf.
func (n *node) elements(low, high []byte, fn elementFunc) error {
	for i := range n.count {
		key, value, isBucket, err := n.element(i)
		if err != nil {
			return err
		}
		order := bytes.Compare(key, low)
		if order < 0 || order == 0 && i > 0 || high != nil && bytes.Compare(key, high) >= 0 {
			return badPage(n.id, "keys out of order")
		}
		low = key
		if err := fn(key, value, isBucket); err != nil {
			return err
		}
	}
	return nil
}

// bucket walks the tree of a bucket, of which value is what a leaf says.
func (f *pageFile) bucket(value []byte, fn elementFunc) error {
	if len(value) < bucketHeader {
		return fmt.Errorf("%w: a bucket of %d bytes", errPage, len(value))
	}
	if root := binary.NativeEndian.Uint64(value); root != 0 {
		return f.tree(root, fn)
	}
	n, err := parseNode(0, value[bucketHeader:])
	if err != nil {
		return err
	}
	if !n.leaf {
		return badPage(0, "a branch within a leaf")
	}
	return n.elements(nil, nil, fn)
}

// freelist checks the list of free pages: none of them may be in use.
func (f *pageFile) freelist(id uint64) error {
	buf, err := f.read(id)
	if err != nil {
		return err
	}
	ne := binary.NativeEndian
	if ne.Uint16(buf[8:]) != flagFreelist {
		return badPage(id, "does not list free pages")
	}
	count, list := uint64(ne.Uint16(buf[10:])), buf[pageHeader:]
	if count == 0xffff { // the list begins with its length
		count, list = ne.Uint64(list), list[8:]
	}
	if count > uint64(len(list))/8 {
		return badPage(id, "lists %d free pages", count)
	}
	for i := range count {
		if err := f.claim(ne.Uint64(list[8*i:]), 1); err != nil {
			return err
		}
	}
	return nil
}
