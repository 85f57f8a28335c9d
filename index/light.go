package index

import (
	"bytes"
	"errors"
	"iter"

	"github.com/kithmesh/kith/index/entry"
)

// Light is as much of an entry as tells whether its file has changed.
type Light struct {
	Path     entry.Path
	Kind     entry.Kind // of one that is Local, Deleted if it was deleted here
	Mode     uint32
	Size     int64
	ModTime  int64 // nanoseconds since 1970
	Disk     entry.Disk
	Sequence entry.Sequence // of the entry at the path; 0 if there is only a local one
	Unknown  bool
	// Absent: the index knows what is said here, and nothing lies on disk.
	Absent bool
	// Local: this lies on disk, and not what Get returns; see [Folder.SetLocal].
	Local bool
}

// Light yields what lies on disk, in tree order from the first path that is
// not before from: at each path the local entry if there is one, and what
// Range yields if not. It is many times faster than Range. What is written on
// the way is met if it lies ahead. It ends early at damage, and the
// transaction then fails.
func (f *Folder) Light(from entry.Path) iter.Seq[Light] {
	return func(yield func(Light) bool) {
		w := lightWalk{folder: f, entries: f.entries.cursor()}
		w.entries.limit = headerSize
		start := appendPathKey(nil, from)
		err := w.entries.seek(start)
		if err == nil {
			err = w.seekLocal(start)
		}
		for more := true; err == nil && more; {
			if w.local != nil {
				more, err = w.merge(yield)
			} else {
				more, err = w.plain(yield)
			}
		}
		if err != nil {
			f.tx.note(err)
		}
	}
}

// lightWalk merges the entries with the local ones. Each cursor stands at the
// first row that has not been yielded.
type lightWalk struct {
	folder  *Folder
	entries *cursor
	local   *cursor // nil until there are rows for it
}

// seekLocal moves local to the first row whose key is not below key, if there
// are any rows.
func (w *lightWalk) seekLocal(key []byte) error {
	if w.folder.state.local == 0 {
		return nil
	}
	if w.local == nil {
		w.local = w.folder.local.cursor()
		w.local.limit = headerSize
	}
	return w.local.seek(key)
}

// plain yields entries for as long as there are no local ones. More tells
// whether to go on.
func (w *lightWalk) plain(yield func(Light) bool) (more bool, err error) {
	c := w.entries
	for c.key != nil {
		h, err := parseHeader(c.key, c.body)
		if err != nil {
			return false, w.folder.tx.damaged("%v", err)
		}
		if !yield(lightOf(c.key, &h)) {
			return false, nil
		}
		if w.folder.state.local > 0 { // since just now
			return true, errors.Join(w.seekLocal(append(c.keyBuf, 0)), c.next())
		}
		if err := c.next(); err != nil {
			return false, err
		}
	}
	return false, nil
}

func lightOf(key []byte, h *header) Light {
	return Light{
		Path: parsePathKey(key), Kind: h.kind, Mode: h.mode, Size: h.size, ModTime: h.modTime,
		Disk: h.disk, Sequence: h.sequence, Unknown: h.unknown, Absent: h.absent,
	}
}

// merge yields the first of the rows at which the cursors stand, and moves on.
func (w *lightWalk) merge(yield func(Light) bool) (more bool, err error) {
	order := 0
	switch {
	case w.entries.key == nil && w.local.key == nil:
		return false, nil
	case w.entries.key == nil:
		order = 1
	case w.local.key == nil:
		order = -1
	default:
		order = bytes.Compare(w.entries.key, w.local.key)
	}
	l, err := w.light(order)
	if err != nil || !yield(l) {
		return false, err
	}
	return true, w.next(order)
}

// light is what lies at the first key, where order is how the key of entries
// compares to that of local.
func (w *lightWalk) light(order int) (Light, error) {
	var sequence entry.Sequence
	if order <= 0 {
		h, err := parseHeader(w.entries.key, w.entries.body)
		if err != nil {
			return Light{}, w.folder.tx.damaged("%v", err)
		}
		if order < 0 {
			return lightOf(w.entries.key, &h), nil
		}
		sequence = h.sequence
	}
	h, err := parseHeader(w.local.key, w.local.body)
	if err != nil {
		return Light{}, w.folder.tx.damaged("%v", err)
	}
	l := lightOf(w.local.key, &h)
	l.Sequence, l.Local = sequence, true
	return l, nil
}

// next moves on from what light gave. The cursor that stands further ahead
// looks again if its table was changed meanwhile.
func (w *lightWalk) next(order int) (err error) {
	switch {
	case order > 0 && w.entries.moved():
		err = w.entries.seek(append(w.local.keyBuf, 0))
	case order < 0 && w.local.moved():
		err = w.local.seek(append(w.entries.keyBuf, 0))
	}
	if err == nil && order >= 0 {
		err = w.local.next()
	}
	if err == nil && order <= 0 {
		err = w.entries.next()
	}
	return err
}
