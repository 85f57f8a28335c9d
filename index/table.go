package index

import (
	"bytes"
	"fmt"

	"go.etcd.io/bbolt"
)

// table is a bucket of rows with checksums. Bolt's panics end here.
type table struct {
	tx     *Tx
	parent *bbolt.Bucket
	name   string
	seed   uint32
	sum    *uint64 // of the checksums of the rows in all tables

	bolt    *bbolt.Bucket // nil until used
	scratch []byte        // the row last read by get, never nil
	changes int           // tells cursors that they have lost their place

	// The last look-up: a row is mostly looked up before it is written.
	known    []byte // its key, nil if there was none since the last change
	knownSum uint32 // the checksum of its row, 0 if there is none

	// How rows came in, for the choice of how full to leave pages.
	last    []byte
	puts    int
	ordered int
}

func newTable(tx *Tx, parent *bbolt.Bucket, name string, sum *uint64) *table {
	return &table{tx: tx, parent: parent, name: name, seed: seed(name), sum: sum, scratch: make([]byte, 0, 64)}
}

// bucket must be called under guard.
func (t *table) bucket() (*bbolt.Bucket, error) {
	if t.tx.ended {
		return nil, ErrClosed
	}
	if t.bolt == nil {
		if t.bolt = t.parent.Bucket([]byte(t.name)); t.bolt == nil {
			return nil, fmt.Errorf("%w: no table %q", ErrDamaged, t.name)
		}
	}
	return t.bolt, nil
}

// get is the row of key, nil if there is none. It is valid until the next get.
func (t *table) get(key []byte) (body []byte, err error) {
	defer t.tx.guard(&err)
	b, err := t.bucket()
	if err != nil {
		return nil, err
	}
	v := b.Get(key)
	t.know(key, sumOf(v))
	if v == nil {
		return nil, nil
	}
	if v, err = openRow(t.seed, key, v); err != nil {
		return nil, fmt.Errorf("table %q: %w", t.name, err)
	}
	t.scratch = append(t.scratch[:0], v...)
	return t.scratch, nil
}

// know spares put and delete a look-up of key, whose row has the checksum sum;
// 0 if there is none.
func (t *table) know(key []byte, sum uint32) {
	t.known = append(t.known[:0], key...)
	t.knownSum = sum
}

// put writes a row and takes body over.
func (t *table) put(key, body []byte) (err error) {
	if err := t.tx.mayWrite(); err != nil {
		return err
	}
	defer t.tx.guard(&err)
	b, err := t.bucket()
	if err != nil {
		return err
	}
	t.forget(b, key)
	t.watchOrder(key)
	row := sealRow(t.seed, key, body)
	*t.sum += uint64(sumOf(row))
	return b.Put(key, row)
}

func (t *table) delete(key []byte) (err error) {
	if err := t.tx.mayWrite(); err != nil {
		return err
	}
	defer t.tx.guard(&err)
	b, err := t.bucket()
	if err != nil {
		return err
	}
	t.forget(b, key)
	return b.Delete(key)
}

// forget takes the row of key, which is about to change, out of the sum.
func (t *table) forget(b *bbolt.Bucket, key []byte) {
	if !bytes.Equal(t.known, key) {
		t.know(key, sumOf(b.Get(key)))
	}
	*t.sum -= uint64(t.knownSum)
	t.known = t.known[:0]
	t.changes++
}

// Rows that come in order leave pages full, since nothing will be put between
// them; others leave room, since splitting full pages wastes more.
const (
	fillOrdered = 0.97
	fillMixed   = 0.6
	fewRows     = 64
)

func (t *table) watchOrder(key []byte) {
	t.puts++
	if bytes.Compare(key, t.last) > 0 {
		t.ordered++
	}
	t.last = append(t.last[:0], key...)
	t.bolt.FillPercent = fillMixed
	if t.puts >= fewRows && t.ordered >= t.puts/10*9 {
		t.bolt.FillPercent = fillOrdered
	}
}

// cursor walks a table in the order of its keys. Key and body are copies, valid
// until it moves; key is nil behind the last row. It finds its place again
// when the table is changed meanwhile.
type cursor struct {
	t    *table
	bolt *bbolt.Cursor
	// limit, if above zero, is how many bytes of a row to read; its checksum is
	// then left to the caller.
	limit   int
	key     []byte
	body    []byte
	sum     uint32 // the checksum of the row
	keyBuf  []byte
	changes int
}

func (t *table) cursor() *cursor { return &cursor{t: t} }

// seek moves to the first row whose key is not below key.
func (c *cursor) seek(key []byte) (err error) {
	defer c.t.tx.guard(&err)
	b, err := c.t.bucket()
	if err != nil {
		return err
	}
	if c.bolt == nil {
		c.bolt = b.Cursor()
	}
	c.changes = c.t.changes
	if len(key) == 0 {
		return c.load(c.bolt.First())
	}
	return c.load(c.bolt.Seek(key))
}

// seekLast moves to the last row whose key is not above key, or behind the
// last row if there is none.
func (c *cursor) seekLast(key []byte) (err error) {
	if err := c.seek(key); err != nil || bytes.Equal(c.key, key) {
		return err
	}
	defer c.t.tx.guard(&err)
	if c.key == nil {
		k, v := c.bolt.Last()
		return c.load(k, v)
	}
	return c.load(c.bolt.Prev())
}

// next moves to the next row.
func (c *cursor) next() (err error) {
	if c.t.tx.ended {
		return ErrClosed
	}
	if c.changes != c.t.changes {
		return c.seek(append(c.keyBuf, 0))
	}
	defer c.t.tx.guard(&err)
	return c.load(c.bolt.Next())
}

// moved tells whether the table was changed since the cursor was moved, so
// that another row may lie between what was read and where it stands.
func (c *cursor) moved() bool { return c.changes != c.t.changes }

// at moves to the row of key, which is quick if that is the next one. It
// tells whether there is such a row.
func (c *cursor) at(key []byte) (bool, error) {
	if c.key != nil && c.changes == c.t.changes {
		if err := c.next(); err != nil {
			return false, err
		}
		if bytes.Equal(c.key, key) {
			return true, nil
		}
	}
	if err := c.seek(key); err != nil {
		return false, err
	}
	return c.key != nil && bytes.Equal(c.key, key), nil
}

func (c *cursor) load(k, v []byte) (err error) {
	if k == nil {
		c.key, c.body = nil, nil
		return nil
	}
	if c.limit > 0 {
		v = v[:min(len(v), c.limit)]
	} else {
		c.sum = sumOf(v)
		if v, err = openRow(c.t.seed, k, v); err != nil {
			return fmt.Errorf("table %q: %w", c.t.name, err)
		}
	}
	c.keyBuf = append(c.keyBuf[:0], k...)
	c.key = c.keyBuf
	c.body = append(c.body[:0], v...)
	return nil
}
