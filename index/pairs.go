package index

import (
	"iter"
	"slices"
)

// pairSet is a sorted set of pairs in a table, packed in segments: a row for
// each pair would take two to ten times the space. Changes are kept in memory
// until flush, so that a segment is written once for many of them.
type pairSet struct {
	t       *table
	pending map[pair]bool // true to add, false to take away
}

const (
	// maxSegment is how many pairs a segment holds: few, so that a change
	// rewrites little; many, so that keys cost little.
	maxSegment = 64
	// maxPending bounds the memory of an Update.
	maxPending = 1 << 15
)

func newPairSet(t *table) *pairSet { return &pairSet{t: t} }

func (s *pairSet) add(p pair) error    { return s.change(p, true) }
func (s *pairSet) delete(p pair) error { return s.change(p, false) }

func (s *pairSet) change(p pair, add bool) error {
	if s.pending == nil {
		s.pending = make(map[pair]bool)
	}
	s.pending[p] = add
	if len(s.pending) >= maxPending {
		return s.flush()
	}
	return nil
}

// flush writes the changes, segment by segment.
func (s *pairSet) flush() error {
	if len(s.pending) == 0 {
		return nil
	}
	changes := make([]change, 0, len(s.pending))
	for p, add := range s.pending {
		changes = append(changes, change{p, add})
	}
	slices.SortFunc(changes, func(x, y change) int { return x.compare(y.pair) })
	clear(s.pending)

	f := flusher{set: s, cursor: s.t.cursor()}
	for len(changes) > 0 {
		n, err := f.segment(changes)
		if err != nil {
			return err
		}
		changes = changes[n:]
	}
	return nil
}

// flusher holds the memory that one flush uses again and again.
type flusher struct {
	set    *pairSet
	cursor *cursor
	old    []pair
	sum    uint32 // the checksum of the row of old, 0 if there is none
	merged []pair
}

// segment applies those of the changes that belong to the segment of the
// first, and returns how many those are.
func (f *flusher) segment(changes []change) (int, error) {
	key, found, err := f.find(changes[0].pair)
	if err != nil {
		return 0, err
	}
	n := len(changes)
	if end, ok, err := f.end(found); err != nil {
		return 0, err
	} else if ok {
		n, _ = slices.BinarySearchFunc(changes, end, func(c change, p pair) int { return c.compare(p) })
	}
	f.merged = applyChanges(f.merged[:0], f.old, changes[:n])
	appended := len(f.old) == 0 || f.old[len(f.old)-1].compare(changes[0].pair) < 0
	return n, f.write(key, found, appended)
}

// find reads the segment into which p belongs. If there is none yet, its key
// will be the lowest.
func (f *flusher) find(p pair) (key pair, found bool, err error) {
	f.old, f.sum = f.old[:0], 0
	if err := f.cursor.seekLast(p.key()); err != nil || f.cursor.key == nil {
		return pair{}, false, err
	}
	if key, f.old, err = f.set.parse(f.old, f.cursor); err != nil {
		return pair{}, false, err
	}
	f.sum = f.cursor.sum
	return key, true, nil
}

// end is the key of the next segment, if there is one. The cursor is at the
// segment found, or, if none was, before all of them.
func (f *flusher) end(found bool) (pair, bool, error) {
	var err error
	if found {
		err = f.cursor.next()
	} else {
		err = f.cursor.seek(nil)
	}
	if err != nil || f.cursor.key == nil {
		return pair{}, false, err
	}
	key, err := parsePairKey(f.cursor.key)
	if err != nil {
		return pair{}, false, f.set.t.tx.damaged("table %q: %v", f.set.t.name, err)
	}
	return key, true, nil
}

// write stores the merged pairs in place of the segment at key. What has been
// appended fills segments up; what came in between leaves room in them.
func (f *flusher) write(key pair, found, appended bool) error {
	t := f.set.t
	t.know(key.key(), f.sum)
	if len(f.merged) == 0 {
		if !found {
			return nil
		}
		return t.delete(key.key())
	}
	n, size := len(f.merged), maxSegment
	if n > maxSegment && !appended {
		segments := (n + maxSegment - 1) / maxSegment
		size = (n + segments - 1) / segments
	}
	for i := 0; i < n; i += size {
		chunk := f.merged[i:min(i+size, n)]
		if i > 0 {
			key = chunk[0]
			t.know(key.key(), 0) // there is no segment between this one and the next
		}
		if err := t.put(key.key(), appendSegment(nil, key, chunk)); err != nil {
			return err
		}
	}
	return nil
}

// parse reads the segment at which c stands, and appends its pairs to dst.
func (s *pairSet) parse(dst []pair, c *cursor) (pair, []pair, error) {
	key, err := parsePairKey(c.key)
	if err == nil {
		dst, err = parseSegment(dst, key, c.body)
	}
	if err != nil {
		return pair{}, nil, s.t.tx.damaged("table %q: %v", s.t.name, err)
	}
	return key, dst, nil
}

// from yields the pairs that are not below p, in order.
func (s *pairSet) from(p pair) iter.Seq2[pair, error] {
	return func(yield func(pair, error) bool) {
		if err := s.walk(p, yield); err != nil {
			yield(pair{}, err)
		}
	}
}

func (s *pairSet) walk(p pair, yield func(pair, error) bool) error {
	if err := s.flush(); err != nil {
		return err
	}
	c := s.t.cursor()
	err := c.seekLast(p.key())
	if err == nil && c.key == nil {
		err = c.seek(nil)
	}
	var pairs []pair
	for err == nil && c.key != nil {
		if _, pairs, err = s.parse(pairs[:0], c); err != nil {
			return err
		}
		i, _ := slices.BinarySearchFunc(pairs, p, pair.compare)
		for _, p := range pairs[i:] {
			if !yield(p, nil) {
				return nil
			}
		}
		if n := len(pairs); i < n {
			// Were the set changed meanwhile, what has been yielded may lie
			// in another segment now.
			p = pair{pairs[n-1].a, pairs[n-1].b + 1}
		}
		err = c.next()
	}
	return err
}
