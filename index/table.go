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

	bolt    *bbolt.Bucket // nil until used
	scratch []byte        // the row last read by get, never nil
	changes int           // tells cursors that they have lost their place

	// How rows came in, for the choice of how full to leave pages.
	last    []byte
	puts    int
	ordered int
}

func newTable(tx *Tx, parent *bbolt.Bucket, name string) *table {
	return &table{tx: tx, parent: parent, name: name, seed: seed(name), scratch: make([]byte, 0, 64)}
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
	if v == nil {
		return nil, nil
	}
	if v, err = openRow(t.seed, key, v); err != nil {
		return nil, fmt.Errorf("table %q: %w", t.name, err)
	}
	t.scratch = append(t.scratch[:0], v...)
	return t.scratch, nil
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
	t.changes++
	t.watchOrder(key)
	return b.Put(key, sealRow(t.seed, key, body))
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
	t.changes++
	return b.Delete(key)
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
	} else if v, err = openRow(c.t.seed, k, v); err != nil {
		return fmt.Errorf("table %q: %w", c.t.name, err)
	}
	c.keyBuf = append(c.keyBuf[:0], k...)
	c.key = c.keyBuf
	c.body = append(c.body[:0], v...)
	return nil
}
