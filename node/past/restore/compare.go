package restore

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/past"
)

// Sample says which files are tried.
type Sample struct {
	Tree  *past.Tree
	Files int   // at most so many; 0 is all
	Bytes int64 // no further file once they hold so many; 0 is no bound
	// Rand chooses them; nil chooses anew each time.
	Rand *rand.Rand
	// Progress is told how far it has come; nil is nobody.
	Progress func(Progress)
}

// Compared is what a trial has shown.
type Compared struct {
	Files, Bytes int64     // that were fetched and found right
	Bad          []Skipped // files that cannot be restored as they were, in tree order
}

// Compare fetches a sample of the files of a tree from the sources, opens all
// their blocks and compares them with their IDs, as a restore would, without
// writing anything. A file whose blocks open is what its author has made.
func Compare(ctx context.Context, p *past.Past, s Sample) (Compared, error) {
	rows, total, err := s.choose()
	if err != nil {
		return Compared{}, err
	}
	c := comparing{fetcher: newFetcher(p, nil), tree: s.Tree, jobs: make([]trial, len(rows))}
	tell := telling(s.Progress, int64(len(rows)), total)
	g, ctx := errgroup.WithContext(ctx)
	lists := make(chan *list)
	g.Go(func() error {
		defer close(lists)
		return c.walk(ctx, rows, lists)
	})
	for range workers {
		g.Go(func() error {
			for l := range lists {
				if err := c.fetch(ctx, l, tell); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return Compared{}, err
	}
	return c.result(), nil
}

// choose draws rows of files at random, and tells how many bytes they hold.
func (s *Sample) choose() (rows []past.Row, total int64, err error) {
	for r := range past.Row(s.Tree.Len()) {
		if s.Tree.Kind(r) == entry.File {
			rows = append(rows, r)
		}
	}
	shuffle := rand.Shuffle
	if s.Rand != nil {
		shuffle = s.Rand.Shuffle
	}
	shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	n := 0
	for n < len(rows) && (s.Files == 0 || n < s.Files) && (s.Bytes == 0 || total < s.Bytes) {
		total += s.Tree.Entry(rows[n]).Size
		n++
	}
	rows = rows[:n]
	slices.Sort(rows)
	return rows, total, nil
}

// trial is one file.
type trial struct {
	path entry.Path
	size int64
	bad  atomic.Pointer[error]
}

type comparing struct {
	fetcher *fetcher
	tree    *past.Tree
	jobs    []trial
}

func (c *comparing) walk(ctx context.Context, rows []past.Row, lists chan<- *list) error {
	l := newList()
	flush := func() error {
		select {
		case lists <- l:
			l = newList()
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for i, r := range rows {
		e, err := c.tree.Whole(r)
		if err != nil {
			return err
		}
		c.jobs[i].path, c.jobs[i].size = e.Path, e.Size
		for _, b := range e.Blocks {
			if l.full() {
				if err := flush(); err != nil {
					return err
				}
			}
			l.add(part{off: int64(i), length: b.Length}, want{b.ID, e.Epoch})
		}
	}
	return flush()
}

func (c *comparing) fetch(ctx context.Context, l *list, tell func(bytes int64)) error {
	return c.fetcher.fetch(ctx, l.wants, func(i int, plain []byte, lost error) error {
		for at := l.first[i]; at >= 0; at = l.parts[at].next {
			p := &l.parts[at]
			bad := lost
			if bad == nil && len(plain) != int(p.length) {
				bad = errors.Join(ErrLost, errLength)
			}
			if bad != nil {
				c.jobs[p.off].bad.Store(&bad)
			}
			tell(int64(p.length))
		}
		return nil
	})
}

var errLength = errors.New("the block has another length than was recorded")

func (c *comparing) result() Compared {
	var out Compared
	for i := range c.jobs {
		j := &c.jobs[i]
		if bad := j.bad.Load(); bad != nil {
			out.Bad = append(out.Bad, Skipped{j.path, *bad})
			continue
		}
		out.Files++
		out.Bytes += j.size
	}
	return out
}

// telling counts bytes and tells of them; it is called by several goroutines.
func telling(progress func(Progress), files, total int64) func(bytes int64) {
	if progress == nil {
		return func(int64) {}
	}
	n := &running{Restore: &Restore{Progress: progress}, progress: Progress{TotalFiles: files, TotalBytes: total}}
	return func(bytes int64) { n.tell(false, func(p *Progress) { p.Bytes += bytes }) }
}
