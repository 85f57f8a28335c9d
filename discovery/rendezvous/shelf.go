package rendezvous

import (
	"container/list"
	"context"
	"errors"
	"sync"

	ds "github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"
)

// maxShelf bounds what a board stores for others: some 9 MB of records at most.
// Beyond that the one that was written longest ago goes. Strangers can fill it;
// what they displace is written again within hours, and stored elsewhere too.
const maxShelf = 4096

// shelf is what this node stores for a DHT, in memory: all of it is written
// again by those whose it is. It is a datastore as far as the DHT needs one for
// values, and is safe for concurrent use.
type shelf struct {
	limit int

	mu    sync.Mutex
	items map[ds.Key]*list.Element
	order *list.List // the longest unwritten first
}

type item struct {
	key   ds.Key
	value []byte
}

var (
	_ ds.Batching = (*shelf)(nil)

	errShelf = errors.New("the board's store has values only")
)

func newShelf(limit int) *shelf {
	return &shelf{limit: limit, items: map[ds.Key]*list.Element{}, order: list.New()}
}

func (s *shelf) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.items)
}

// Put stores a value as the newest, and drops the oldest if there is no room.
func (s *shelf) Put(_ context.Context, key ds.Key, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.items[key]; e != nil {
		s.order.Remove(e)
	}
	s.items[key] = s.order.PushBack(item{key, value})
	for len(s.items) > s.limit {
		s.dropLocked(s.order.Front())
	}
	return nil
}

func (s *shelf) dropLocked(e *list.Element) {
	delete(s.items, e.Value.(item).key)
	s.order.Remove(e)
}

// Get gives a value, or the datastore's ErrNotFound.
func (s *shelf) Get(_ context.Context, key ds.Key) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.items[key]; e != nil {
		return e.Value.(item).value, nil
	}
	return nil, ds.ErrNotFound
}

// Has tells whether there is a value.
func (s *shelf) Has(ctx context.Context, key ds.Key) (bool, error) {
	_, err := s.Get(ctx, key)
	return err == nil, nil
}

// GetSize gives the size of a value, or the datastore's ErrNotFound.
func (s *shelf) GetSize(ctx context.Context, key ds.Key) (int, error) {
	v, err := s.Get(ctx, key)
	if err != nil {
		return -1, err
	}
	return len(v), nil
}

// Delete drops a value if there is one.
func (s *shelf) Delete(_ context.Context, key ds.Key) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.items[key]; e != nil {
		s.dropLocked(e)
	}
	return nil
}

// Query is not needed for values.
func (s *shelf) Query(context.Context, query.Query) (query.Results, error) { return nil, errShelf }

// Batch is not needed for values.
func (s *shelf) Batch(context.Context) (ds.Batch, error) { return nil, errShelf }

// Sync has nothing to do.
func (s *shelf) Sync(context.Context, ds.Key) error { return nil }

// Close has nothing to do.
func (s *shelf) Close() error { return nil }
