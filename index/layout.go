package index

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"

	"github.com/kithmesh/kith/index/entry"
)

// The layout of the file is specified in proto/diskpb/index.proto.

// format is the version of the layout; it grows with every change that an
// older kith would misread.
const format = 2

const (
	bucketKith   = "kith"
	rowFormat    = "format"
	rowState     = "state"
	folderPrefix = 'f'

	tableEntries  = "entries"
	tableFiles    = "files"
	tableSequence = "sequence"
	tableBlocks   = "blocks"
	tableUnknown  = "unknown"
	tableWanted   = "wanted"
	tablePeers    = "peers"
	tableSeen     = "seen"
	tableNames    = "names"
	tableLocal    = "local" // since format 2
)

var tables = [...]string{
	tableEntries, tableFiles, tableSequence, tableBlocks, tableUnknown,
	tableWanted, tablePeers, tableSeen, tableNames, tableLocal,
}

func folderKey(id entry.FolderID) []byte { return append([]byte{folderPrefix}, id[:]...) }

func parseFolderKey(key []byte) (entry.FolderID, bool) {
	if len(key) != 1+len(entry.FolderID{}) || key[0] != folderPrefix {
		return entry.FolderID{}, false
	}
	return entry.FolderID(key[1:]), true
}

// appendPathKey appends the key of p: no name holds a zero byte, so it sorts
// before everything that a name can hold.
func appendPathKey(dst []byte, p entry.Path) []byte {
	n := len(dst)
	dst = append(dst, p...)
	for i, c := range dst[n:] {
		if c == '/' {
			dst[n+i] = 0
		}
	}
	return dst
}

func parsePathKey(key []byte) entry.Path {
	var b strings.Builder
	b.Grow(len(key))
	for len(key) > 0 {
		i := 0
		for i < len(key) && key[i] != 0 {
			i++
		}
		b.Write(key[:i])
		if i < len(key) {
			b.WriteByte('/')
			i++
		}
		key = key[i:]
	}
	return entry.Path(b.String())
}

// fileNumber stands for a path in the tables that refer to one.
type fileNumber uint64

const (
	fileNumberSize = 5
	maxFileNumber  = 1<<(8*fileNumberSize) - 1
)

func (n fileNumber) key() []byte {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	return b[8-fileNumberSize:]
}

// blockPrefix is the part of a block ID that the table of blocks keeps. Among
// ten million blocks one in thirty million look-ups meets a wrong one, and
// each hit is compared in full.
func blockPrefix(id entry.BlockID) uint64 { return binary.BigEndian.Uint64(id[:8]) >> 16 }

// Checksums of rows.

const sumSize = 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seed is the checksum of a table's name, with which those of its rows begin.
func seed(name string) uint32 { return crc32.Checksum([]byte(name), castagnoli) }

func rowSum(seed uint32, key, body []byte) uint32 {
	return crc32.Update(crc32.Update(seed, castagnoli, key), castagnoli, body)
}

// sealRow appends the checksum to body.
func sealRow(seed uint32, key, body []byte) []byte {
	return binary.LittleEndian.AppendUint32(body, rowSum(seed, key, body))
}

// sumOf is the checksum of a row, whether it is right or not.
func sumOf(row []byte) uint32 {
	if len(row) < sumSize {
		return 0
	}
	return binary.LittleEndian.Uint32(row[len(row)-sumSize:])
}

// openRow is what sealRow was given, within value; it wraps [ErrDamaged].
func openRow(seed uint32, key, value []byte) ([]byte, error) {
	n := len(value) - sumSize
	if n < 0 || sumOf(value) != rowSum(seed, key, value[:n]) {
		return nil, fmt.Errorf("%w: row %q fails its checksum", ErrDamaged, key)
	}
	return value[:n], nil
}
