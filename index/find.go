package index

import (
	"iter"

	"github.com/kithmesh/kith/index/entry"
)

// FindBlock yields the files that live and hold the block, each once, with the
// offset in bytes of its first occurrence. Files that are absent hold nothing. That is what the index says; the
// files may have changed since they were scanned, so hash what is read there.
// It ends early at damage, and the transaction then fails.
func (f *Folder) FindBlock(id entry.BlockID) iter.Seq2[*entry.Entry, int64] {
	return func(yield func(*entry.Entry, int64) bool) {
		files, entries := f.files.cursor(), f.entries.cursor()
		prefix := blockPrefix(id)
		for p, err := range f.blocks.from(pair{a: prefix}) {
			if err != nil || p.a != prefix {
				return
			}
			e, err := f.numbered(files, entries, fileNumber(p.b))
			if err != nil {
				return
			}
			if offset, ok := offsetOf(e, id); ok && !yield(e, offset) {
				return
			}
		}
	}
}

func offsetOf(e *entry.Entry, id entry.BlockID) (int64, bool) {
	var offset int64
	for i := range e.Blocks {
		if e.Blocks[i].ID == id {
			return offset, true
		}
		offset += int64(e.Blocks[i].Length)
	}
	return 0, false
}

// FindContent yields the files that live and hold just the content of e, under
// any path; those that are absent are not among them. An empty file has no content to find. It ends early at damage, and
// the transaction then fails.
func (f *Folder) FindContent(e *entry.Entry) iter.Seq[*entry.Entry] {
	return func(yield func(*entry.Entry) bool) {
		if e.Kind != entry.File || len(e.Blocks) == 0 {
			return
		}
		// Files that begin alike are more frequent than files that end alike.
		for o := range f.FindBlock(e.Blocks[len(e.Blocks)-1].ID) {
			if o.SameContent(e) && !yield(o) {
				return
			}
		}
	}
}
