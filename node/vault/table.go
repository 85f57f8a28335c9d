package vault

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"go.etcd.io/bbolt"
)

// The tables of the index.
const (
	tableState    = "state"
	tableBlocks   = "blocks"
	tableRecords  = "records"
	tableSequence = "sequence"
	tablePacks    = "packs"
	tablePins     = "pins"
	tableGivers   = "givers"
	tableMarks    = "marks"
	tableDamaged  = "damaged"
)

var tableNames = [...]string{
	tableBlocks, tableRecords, tableSequence, tablePacks, tablePins, tableGivers, tableMarks, tableDamaged,
}

var rowState = []byte("state")

// table is a bucket whose rows end with a checksum. Slices that come out are
// valid until the table is changed or the transaction ends.
type table struct {
	name string
	bolt *bbolt.Bucket
	seed uint32
	sum  *uint64 // of the checksums of all rows; nil where it is not kept

	changes int
}

func openTable(tx *bbolt.Tx, name string, sum *uint64) (*table, error) {
	b := tx.Bucket([]byte(name))
	if b == nil {
		return nil, fmt.Errorf("%w: no table %q", ErrIndex, name)
	}
	return &table{name: name, bolt: b, seed: seedOf(name), sum: sum}, nil
}

const sumSize = 4

func seedOf(name string) uint32 { return crc32.Checksum([]byte(name), castagnoli) }

func rowSum(seed uint32, key, body []byte) uint32 {
	return crc32.Update(crc32.Update(seed, castagnoli, key), castagnoli, body)
}

// openRow is the row without its checksum, which it checks.
func openRow(name string, seed uint32, key, value []byte) ([]byte, error) {
	n := len(value) - sumSize
	if n < 0 || binary.LittleEndian.Uint32(value[n:]) != rowSum(seed, key, value[:n]) {
		return nil, fmt.Errorf("%w: table %q: row %x fails its checksum", ErrIndex, name, key)
	}
	return value[:n:n], nil
}

// get is the row of key, nil if there is none.
func (t *table) get(key []byte) ([]byte, error) {
	v := t.bolt.Get(key)
	if v == nil {
		return nil, nil
	}
	return openRow(t.name, t.seed, key, v)
}

// put writes a row and takes body over.
func (t *table) put(key, body []byte) error {
	t.forget(key)
	return t.add(key, body)
}

// add is put where the caller knows that there is no row of that key.
func (t *table) add(key, body []byte) error {
	t.changes++
	sum := rowSum(t.seed, key, body)
	if t.sum != nil {
		*t.sum += uint64(sum)
	}
	return t.bolt.Put(key, binary.LittleEndian.AppendUint32(body, sum))
}

func (t *table) delete(key []byte) error {
	t.changes++
	t.forget(key)
	return t.bolt.Delete(key)
}

// forget takes the row of key, which is about to change, out of the sum.
func (t *table) forget(key []byte) {
	if t.sum == nil {
		return
	}
	if v := t.bolt.Get(key); len(v) >= sumSize {
		*t.sum -= uint64(binary.LittleEndian.Uint32(v[len(v)-sumSize:]))
	}
}

// each calls fn for the rows whose keys begin with prefix, from the key from
// on, until it returns false.
func (t *table) each(prefix, from []byte, fn func(key, row []byte) (bool, error)) error {
	c := t.bolt.Cursor()
	if bytes.Compare(from, prefix) < 0 {
		from = prefix
	}
	for k, v := c.Seek(from); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
		row, err := openRow(t.name, t.seed, k, v)
		if err != nil {
			return err
		}
		if more, err := fn(k, row); err != nil || !more {
			return err
		}
	}
	return nil
}

// tables are all of them in one transaction.
type tables struct {
	blocks, records, sequence, packs, pins, givers, marks, damaged *table
}

func openTables(tx *bbolt.Tx, sum *uint64) (t tables, err error) {
	to := [len(tableNames)]**table{&t.blocks, &t.records, &t.sequence, &t.packs, &t.pins, &t.givers, &t.marks, &t.damaged}
	for i, name := range tableNames {
		if *to[i], err = openTable(tx, name, sum); err != nil {
			return t, err
		}
	}
	// Keys that ascend leave pages full, since nothing will be put between them.
	for _, ordered := range []*table{t.sequence, t.packs} {
		ordered.bolt.FillPercent = 0.95
	}
	return t, nil
}

// changed tells whether any row was written.
func (t *tables) changed() bool {
	n := 0
	for _, one := range []*table{t.blocks, t.records, t.sequence, t.packs, t.pins, t.givers, t.marks, t.damaged} {
		n += one.changes
	}
	return n > 0
}

// variants are the row of a block, nil if there is none.
func (t *tables) variants(id []byte) ([]variant, error) {
	row, err := t.blocks.get(id)
	if row == nil || err != nil {
		return nil, err
	}
	return parseVariants(row)
}

// version is the row of a version, if there is one.
func (t *tables) version(key recordKey) (r recordRow, ok bool, err error) {
	row, err := t.records.get(key[:])
	if row == nil || err != nil {
		return r, false, err
	}
	r, err = parseRecordRow(row)
	return r, true, err
}

// checkIndex reads a whole index and returns its state. Its error wraps
// ErrIndex for damage, and rows that are missing are damage too.
func checkIndex(path string) (s state, err error) {
	var sum uint64
	var stated []byte
	seeds := map[string]uint32{tableState: seedOf(tableState)}
	for _, name := range tableNames {
		seeds[name] = seedOf(name)
	}
	err = checkDB(path, func(bucket string, key, value []byte) error {
		seed, ok := seeds[bucket]
		if !ok {
			return fmt.Errorf("%w: an unknown table %q", ErrIndex, bucket)
		}
		row, err := openRow(bucket, seed, key, value)
		switch {
		case err != nil:
			return err
		case bucket == tableState && bytes.Equal(key, rowState):
			stated = bytes.Clone(row)
		default:
			sum += uint64(binary.LittleEndian.Uint32(value[len(value)-sumSize:]))
		}
		return nil
	})
	if err != nil {
		return s, err
	}
	if stated == nil {
		return s, fmt.Errorf("%w: it was never completed", ErrIndex)
	}
	if s, err = parseState(stated); err == nil && s.sum != sum {
		err = fmt.Errorf("%w: some rows are lost or old", ErrIndex)
	}
	return s, err
}
