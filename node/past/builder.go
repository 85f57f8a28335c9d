package past

import (
	"slices"

	"github.com/kithmesh/kith/index/entry"
)

// builder puts together a tree from versions that come in any order.
type builder struct {
	slab   *slab
	refs   []ref
	rows   []ref // of what lives, from the end
	others map[entry.Path][]ref
	// above are directories that something lives in, until their own versions
	// are met.
	above map[entry.Path]struct{}
}

// plainMode is the mode of directories of which none is known.
const plainMode = 0o755

func newBuilder(dir string) *builder {
	return &builder{slab: &slab{spool: spool{dir: dir}}, others: map[entry.Path][]ref{}, above: map[entry.Path]struct{}{}}
}

func (b *builder) add(e *entry.Entry) error {
	r, err := b.slab.add(e)
	if err == nil {
		b.refs = append(b.refs, r)
	}
	return err
}

// tree settles each path, what is below a directory before the directory.
func (b *builder) tree() (*Tree, error) {
	s := b.slab
	slices.SortFunc(b.refs, func(x, y ref) int { return s.path(x).Compare(s.path(y)) })
	for end := len(b.refs); end > 0; {
		begin := end - 1
		p := s.path(b.refs[begin])
		for begin > 0 && s.path(b.refs[begin-1]) == p {
			begin--
		}
		if err := b.settle(p, b.refs[begin:end]); err != nil {
			return nil, err
		}
		end = begin
	}
	b.refs = nil
	if err := b.fillIn(); err != nil {
		return nil, err
	}
	slices.Reverse(b.rows)
	t := &Tree{slab: s, rows: b.rows, others: b.others}
	t.count()
	return t, nil
}

// settle decides about one path; it knows what lives below it.
func (b *builder) settle(p entry.Path, refs []ref) error {
	_, living := b.above[p]
	delete(b.above, p)
	if len(refs) == 1 {
		k := b.slab.kind(refs[0])
		if k == entry.Deleted && !living {
			return nil
		}
		if k == entry.Directory || k != entry.Deleted && !living {
			b.lives(p, refs[0])
			return nil
		}
	}
	vs := make([]*entry.Entry, len(refs))
	for i, r := range refs {
		var err error
		if vs[i], err = b.slab.get(r, true); err != nil {
			return err
		}
	}
	refOf := func(e *entry.Entry) ref { return refs[slices.Index(vs, e)] }
	at, others := settle(vs, living)
	switch {
	case at != nil:
		b.lives(p, refOf(at))
	case living:
		if err := b.directory(p); err != nil {
			return err
		}
	}
	for _, o := range others {
		b.others[p] = append(b.others[p], refOf(o))
	}
	return nil
}

func (b *builder) directory(p entry.Path) error {
	r, err := b.slab.add(&entry.Entry{Path: p, Kind: entry.Directory, Mode: plainMode})
	if err == nil {
		b.lives(p, r)
	}
	return err
}

// lives notes that something lives at p, so that all above it are directories.
func (b *builder) lives(p entry.Path, r ref) {
	b.rows = append(b.rows, r)
	for up := p.Parent(); up != ""; up = up.Parent() {
		if _, known := b.above[up]; known {
			return
		}
		b.above[up] = struct{}{}
	}
}

// fillIn makes the directories of which no version is known.
func (b *builder) fillIn() error {
	if len(b.above) == 0 {
		return nil
	}
	for p := range b.above {
		r, err := b.slab.add(&entry.Entry{Path: p, Kind: entry.Directory, Mode: plainMode})
		if err != nil {
			return err
		}
		b.rows = append(b.rows, r)
	}
	slices.SortFunc(b.rows, func(x, y ref) int { return b.slab.path(y).Compare(b.slab.path(x)) })
	return nil
}
