package index

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/proto/diskpb"
)

// checkFile reads a whole index and tells whether it is what was written: the
// pages form trees, every row has its checksum, and none is missing or old. It
// uses memory for a bit per page, changes nothing, and whatever the file holds
// it ends. It returns the format, which is 0 if nothing was ever written. The
// error wraps [ErrDamaged] or [ErrVersion], or is one of reading.
func checkFile(r io.ReaderAt, size int64) (written uint32, err error) {
	m, err := readMeta(r, size)
	if err == nil {
		c := checker{pages: pageFile{
			r: r, pageSize: int64(m.pageSize), high: m.high, used: make([]uint64, m.high/64+1),
		}}
		written, err = c.check(m)
	}
	if errors.Is(err, errPage) {
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return written, err
}

// readMeta is the newer of the two descriptions. Both must be whole: to go on
// with the older one would undo a commit unseen. Only a disk that tears a
// sector when the power fails can leave one of them broken.
func readMeta(r io.ReaderAt, size int64) (meta, error) {
	buf := make([]byte, pageHeader+metaSize)
	if _, err := r.ReadAt(buf, 0); err != nil {
		return meta{}, readError(0, err)
	}
	m, err := parseMeta(buf, 0)
	if err != nil {
		return meta{}, err
	}
	if _, err := r.ReadAt(buf, int64(m.pageSize)); err != nil {
		return meta{}, readError(1, err)
	}
	other, err := parseMeta(buf, 1)
	if err != nil {
		return meta{}, err
	}
	if other.commit > m.commit {
		m, other = other, m
	}
	if m.pageSize != other.pageSize || m.commit != other.commit+1 {
		return meta{}, badPage(0, "the two descriptions of the file are not neighbours")
	}
	if m.high > uint64(size)/uint64(m.pageSize) {
		return meta{}, badPage(m.high, "cut off")
	}
	return m, nil
}

// checker goes through the buckets.
type checker struct {
	pages   pageFile
	version uint32 // of the format, 0 until found
	// Folders that have all tables, and those that have all but the one that
	// format 2 added: which they must have shows when the format is found.
	whole, old int
	// bad is the first row that is not as this version writes it. A newer
	// version may have other rows.
	bad error
}

func (c *checker) check(m meta) (written uint32, err error) {
	fresh := m.commit == 1 // which bolt itself writes
	err = c.pages.tree(m.root, func(key, value []byte, isBucket bool) error {
		fresh = false
		id, ok := parseFolderKey(key)
		switch {
		case !isBucket:
			c.blame("row %q outside of buckets", key)
		case string(key) == bucketKith:
			return c.pages.bucket(value, c.kithRow)
		case ok:
			return c.folder(id, value)
		default:
			c.blame("unknown bucket %q", key)
		}
		return nil
	})
	if err == nil && m.freelist != noFreelist {
		err = c.pages.freelist(m.freelist)
	}
	switch {
	case err != nil:
		return 0, err
	case fresh:
		return 0, nil
	case c.version > format:
		return 0, fmt.Errorf("format %d: %w", c.version, ErrVersion)
	case c.version == 0:
		c.blame("no format")
	case c.version == 1 && c.whole > 0, c.version > 1 && c.old > 0:
		c.blame("the tables of some folders are not those of format %d", c.version)
	}
	return c.version, c.bad
}

func (c *checker) blame(format string, args ...any) {
	if c.bad == nil {
		c.bad = fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
	}
}

// open is the content of a row, nil if it is damaged.
func (c *checker) open(name string, sum uint32, key, value []byte, isBucket bool) []byte {
	if isBucket {
		c.blame("table %q holds a bucket %q", name, key)
		return nil
	}
	body, err := openRow(sum, key, value)
	if err != nil {
		c.blame("table %q: row %q fails its checksum", name, key)
		return nil
	}
	if body == nil {
		body = []byte{}
	}
	return body
}

func (c *checker) kithRow(key, value []byte, isBucket bool) error {
	row := c.open(bucketKith, seed(bucketKith), key, value, isBucket)
	if row == nil {
		return nil
	}
	if string(key) != rowFormat {
		c.blame("unknown row %q", key)
		return nil
	}
	var m diskpb.IndexFormat
	if err := proto.Unmarshal(row, &m); err != nil {
		c.blame("format: %v", err)
		return nil
	}
	c.version = m.GetVersion()
	return nil
}

// folder checks one folder and compares its state with the sum of its tables.
func (c *checker) folder(id entry.FolderID, value []byte) error {
	var s state
	var sum uint64
	known, hasLocal := 0, false
	err := c.pages.bucket(value, func(key, value []byte, isBucket bool) error {
		name := string(key)
		if isBucket {
			if slices.Contains(tables[:], name) {
				known++
				hasLocal = hasLocal || name == tableLocal
			} else {
				c.blame("folder %s: unknown table %q", id, name)
			}
			return c.table(name, value, &sum)
		}
		row := c.open(rowState, seed(rowState), key, value, false)
		if row == nil {
			return nil
		}
		if name != rowState {
			c.blame("folder %s: unknown row %q", id, key)
			return nil
		}
		var err error
		if s, err = stateFromDisk(id, row); err != nil {
			c.blame("folder %s: %v", id, err)
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case s.replica == 0:
		c.blame("folder %s has no state", id)
	case sum != s.sum:
		c.blame("folder %s: some rows are lost or old", id)
	case known == len(tables):
		c.whole++
	case known == len(tables)-1 && !hasLocal:
		c.old++
	default:
		c.blame("folder %s: some tables are lost", id)
	}
	return nil
}

// table checks the rows of a table and adds up their checksums.
func (c *checker) table(name string, value []byte, sum *uint64) error {
	seed := seed(name)
	return c.pages.bucket(value, func(key, value []byte, isBucket bool) error {
		if c.open(name, seed, key, value, isBucket) != nil {
			*sum += uint64(sumOf(value))
		}
		return nil
	})
}
