package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
)

// This file reads bbolt's file format, version 2, without trusting it: bbolt
// maps the file and follows the numbers in it wherever they point. A file is a
// row of pages of equal size. The first two hold alternate descriptions of the
// whole (meta), the others are nodes of B+ trees: branches, whose elements are
// keys and page numbers, and leaves, whose elements are keys and values. The
// value of an element can be a bucket, which is the number of the root page of
// another tree, or 0 and then that page itself. Numbers have the byte order of
// the machine.

const (
	pageHeader    = 16 // id 8, flags 2, count 2, overflow 4
	branchElement = 16 // pos 4, ksize 4, page 8
	leafElement   = 16 // flags 4, pos 4, ksize 4, vsize 4
	bucketHeader  = 16 // root page 8, a sequence 8 that is not used here
	metaSize      = 64

	flagBranch   = 0x01
	flagLeaf     = 0x02
	flagMeta     = 0x04
	flagFreelist = 0x10

	metaMagic   = 0xED0CDAED
	metaVersion = 2
	noFreelist  = ^uint64(0)

	minPage = 1 << 10 // bytes
	maxPage = 1 << 20
)

var errPage = errors.New("a page is damaged")

func badPage(id uint64, format string, args ...any) error {
	return fmt.Errorf("%w: page %d: %s", errPage, id, fmt.Sprintf(format, args...))
}

// meta describes the whole file as of one commit.
type meta struct {
	pageSize uint32
	root     uint64
	freelist uint64
	high     uint64 // pages from here on are not in use
	commit   uint64
}

func parseMeta(page []byte, id uint64) (m meta, err error) {
	ne := binary.NativeEndian
	if len(page) < pageHeader+metaSize || ne.Uint16(page[8:]) != flagMeta {
		return m, badPage(id, "does not describe the file")
	}
	b := page[pageHeader : pageHeader+metaSize]
	h := fnv.New64a()
	_, _ = h.Write(b[:56])
	if ne.Uint32(b) != metaMagic || ne.Uint32(b[4:]) != metaVersion || ne.Uint64(b[56:]) != h.Sum64() {
		return m, badPage(id, "fails its checksum")
	}
	m = meta{
		pageSize: ne.Uint32(b[8:]), root: ne.Uint64(b[16:]), freelist: ne.Uint64(b[32:]),
		high: ne.Uint64(b[40:]), commit: ne.Uint64(b[48:]),
	}
	if m.pageSize < minPage || m.pageSize > maxPage || m.pageSize&(m.pageSize-1) != 0 {
		return m, badPage(id, "pages of %d bytes", m.pageSize)
	}
	return m, nil
}

// node is a page of a tree. Its buffer begins at the page's header.
type node struct {
	id    uint64
	leaf  bool
	count int
	buf   []byte
}

func parseNode(id uint64, buf []byte) (n node, err error) {
	if len(buf) < pageHeader {
		return n, badPage(id, "cut off")
	}
	n = node{id: id, count: int(binary.NativeEndian.Uint16(buf[10:])), buf: buf}
	switch flags := binary.NativeEndian.Uint16(buf[8:]); flags {
	case flagLeaf:
		n.leaf = true
	case flagBranch:
		if n.count == 0 {
			return n, badPage(id, "a branch to nowhere")
		}
	default:
		return n, badPage(id, "flags %#x in a tree", flags)
	}
	if pageHeader+n.count*leafElement > len(buf) {
		return n, badPage(id, "%d elements", n.count)
	}
	return n, nil
}

// branch is element i of a branch.
func (n *node) branch(i int) (key []byte, child uint64, err error) {
	ne := binary.NativeEndian
	at := pageHeader + i*branchElement
	e := n.buf[at : at+branchElement]
	key, _, err = n.slices(at, ne.Uint32(e), ne.Uint32(e[4:]), 0)
	return key, ne.Uint64(e[8:]), err
}

// element is element i of a leaf.
func (n *node) element(i int) (key, value []byte, isBucket bool, err error) {
	ne := binary.NativeEndian
	at := pageHeader + i*leafElement
	e := n.buf[at : at+leafElement]
	flags := ne.Uint32(e)
	if flags > 1 {
		return nil, nil, false, badPage(n.id, "element %d has flags %#x", i, flags)
	}
	key, value, err = n.slices(at, ne.Uint32(e[4:]), ne.Uint32(e[8:]), ne.Uint32(e[12:]))
	return key, value, flags == 1, err
}

func (n *node) slices(at int, pos, ksize, vsize uint32) (key, value []byte, err error) {
	begin := int64(at) + int64(pos)
	mid := begin + int64(ksize)
	end := mid + int64(vsize)
	if begin < int64(pageHeader+n.count*leafElement) || end > int64(len(n.buf)) || ksize == 0 {
		return nil, nil, badPage(n.id, "an element points out of it")
	}
	return n.buf[begin:mid:mid], n.buf[mid:end:end], nil
}
