package gather

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/tree"
	"github.com/kithmesh/kith/protocol/seal"
)

// bench is a gatherer with a real tree, a real index and real keys.
type bench struct {
	*Gatherer
	t    *testing.T
	root string
	disk *tree.Tree
	keys *seal.Keys
}

func newBench(t *testing.T) *bench {
	t.Helper()
	id := entry.FolderID{7}
	b := &bench{t: t, root: filepath.Join(t.TempDir(), "root")}
	b.must(tree.Create(b.root, id))
	tr, err := tree.Open(b.root, id)
	b.must(err)
	b.disk = tr
	t.Cleanup(func() { _ = tr.Close() })
	db, err := index.Open(filepath.Join(filepath.Dir(b.root), "index"))
	b.must(err)
	t.Cleanup(func() { _ = db.Close() })
	b.must(db.Update(func(tx *index.Tx) error {
		_, err := tx.CreateFolder(id, 1, 1)
		return err
	}))
	b.keys, err = seal.Derive(id, 1, seal.FolderKey{1})
	b.must(err)
	b.Gatherer = &Gatherer{
		Tree: Of(tr), DB: db, Folder: id, Keys: func(e entry.Epoch) *seal.Keys { return map[entry.Epoch]*seal.Keys{1: b.keys}[e] }, Log: slog.New(slog.DiscardHandler),
	}
	return b
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// file is the entry of a file that consists of the blocks.
func (b *bench) file(p entry.Path, blocks ...[]byte) *entry.Entry {
	e := &entry.Entry{
		Path: p, Kind: entry.File, Mode: 0o644, Epoch: 1, AuthorName: "laptop",
		Version: version.Version{Vector: version.Vector{{Replica: 1, Count: 1}}, Clock: 1, Author: 1},
	}
	for _, c := range blocks {
		e.Blocks = append(e.Blocks, entry.Block{ID: b.keys.BlockID(c), Length: uint32(len(c))})
		e.Size += int64(len(c))
	}
	return e
}

// run gathers one file from the sources, all of which announced it.
func (b *bench) run(e *entry.Entry, sources ...Source) *Job {
	b.t.Helper()
	j := &Job{Entry: e, Name: "staged1", Holders: map[entry.DeviceID]entry.Sequence{}}
	for _, s := range sources {
		j.Holders[s.Device()] = 1
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	b.Gather(ctx, []*Job{j}, sources)
	return j
}

// whole checks that the job has just the content, and discards it.
func (b *bench) whole(j *Job, blocks ...[]byte) {
	b.t.Helper()
	b.must(j.Err)
	want := bytes.Join(blocks, nil)
	size, err := j.Staged.Size()
	b.must(err)
	got := make([]byte, size)
	_, err = j.Staged.ReadAt(got, 0)
	b.must(err)
	if !bytes.Equal(got, want) {
		b.t.Errorf("%d bytes were staged that are not the %d of the file", len(got), len(want))
	}
	b.must(j.Staged.(*tree.Staged).Discard())
}

// member is a source that holds some blocks.
type member struct {
	b     *bench
	id    entry.DeviceID
	holds map[entry.BlockID][]byte
	lies  bool
	after <-chan struct{} // closed when it may answer; nil: at once
	asked chan struct{}   // closed by the first request

	once   sync.Once
	mu     sync.Mutex
	served int // blocks
}

func (b *bench) member(id entry.DeviceID, blocks ...[]byte) *member {
	m := &member{b: b, id: id, holds: map[entry.BlockID][]byte{}, asked: make(chan struct{})}
	for _, c := range blocks {
		m.holds[b.keys.BlockID(c)] = c
	}
	return m
}

func (m *member) Device() entry.DeviceID { return m.id }

func (m *member) Fetch(ctx context.Context, ids []entry.BlockID, got func(int, []byte) error) error {
	m.once.Do(func() { close(m.asked) })
	if m.after != nil {
		select {
		case <-m.after:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for i, id := range ids {
		sealed, err := m.sealed(id)
		if err != nil {
			return err
		}
		if err := got(i, sealed); err != nil {
			return err
		}
	}
	return nil
}

func (m *member) sealed(id entry.BlockID) ([]byte, error) {
	plain, ok := m.holds[id]
	if !ok {
		return nil, nil
	}
	m.mu.Lock()
	m.served++
	m.mu.Unlock()
	sealed, err := m.b.keys.SealBlock(nil, id, plain, seal.Raw)
	if m.lies && err == nil {
		sealed[len(sealed)/2] ^= 1
	}
	return sealed, err
}

// pieces are n different blocks of 16 bytes.
func pieces(n int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = binary.BigEndian.AppendUint64([]byte("block..."), uint64(i))
	}
	return out
}

func TestAFileOfOneSourceIsWhole(t *testing.T) {
	b := newBench(t)
	blocks := pieces(9)
	blocks = append(blocks, blocks[0]) // one block in two places
	j := b.run(b.file("f", blocks...), b.member("a", blocks...))
	if j.Fetched != 9*16 && j.Fetched != 10*16 {
		t.Errorf("%d bytes were fetched", j.Fetched)
	}
	b.whole(j, blocks...)
	b.whole(b.run(b.file("empty")))
}

// The honest member answers only once the other was asked; there is more to do
// than it can take at a time, so the other is asked.
func TestAnHonestSourceReplacesABadOne(t *testing.T) {
	blocks := pieces((perSource + 1) * requestIDs)
	for name, lies := range map[string]bool{"one that lacks a block": false, "one that lies": true} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			bad, honest := b.member("bad"), b.member("honest", blocks...)
			if lies {
				bad = b.member("bad", blocks...)
				bad.lies = true
			}
			honest.after = bad.asked
			j := b.run(b.file("f", blocks...), bad, honest)
			if want := int64(len(blocks) * 16); j.Fetched != want {
				t.Errorf("%d bytes count as fetched, not %d", j.Fetched, want)
			}
			b.whole(j, blocks...)
			if honest.served != len(blocks) {
				t.Errorf("the honest member gave %d of %d blocks", honest.served, len(blocks))
			}
		})
	}
}

func TestWhatIsMissingIsFetchedByTheNextAttempt(t *testing.T) {
	blocks := pieces(100)
	for name, lies := range map[string]bool{"lacking": false, "lying": true} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			half, kept := b.member("half", blocks[:40]...), 40
			if half.lies = lies; lies {
				kept = 0
			}
			e := b.file("f", blocks...)
			j := b.run(e, half)
			if !errors.Is(j.Err, ErrUnavailable) || j.Staged != nil || j.Fetched != int64(kept*16) {
				t.Fatalf("first attempt: %v, %d bytes fetched, staged: %v", j.Err, j.Fetched, j.Staged != nil)
			}
			if got := j.Here(); got != int64(kept*16) {
				t.Errorf("%d bytes are here, of %d that are", got, kept*16)
			}
			honest := b.member("honest", blocks...)
			j = b.run(e, honest)
			if got := j.Here(); got != e.Size {
				t.Errorf("%d bytes are here, of %d", got, e.Size)
			}
			left := len(blocks) - kept
			if j.Fetched != int64(left*16) || honest.served != left {
				t.Errorf("%d bytes in %d blocks were fetched where %d blocks were missing", j.Fetched, honest.served, left)
			}
			b.whole(j, blocks...)
		})
	}
}

func TestNobodyToAskIsUnavailableAndNotSilence(t *testing.T) {
	b := newBench(t)
	if j := b.run(b.file("f", pieces(1)...)); !errors.Is(j.Err, ErrUnavailable) {
		t.Errorf("without a source: %v", j.Err)
	}
	e := b.file("f", pieces(1)...)
	e.Epoch = 2
	if j := b.run(e, b.member("a", pieces(1)...)); !errors.Is(j.Err, ErrEpoch) {
		t.Errorf("without a key: %v", j.Err)
	}
}

func TestABlockOfAnotherFileIsNotFetched(t *testing.T) {
	blocks := pieces(5)
	for name, c := range map[string]struct {
		disk   [][]byte // what the other file holds by now
		missed int
	}{
		"as the index has it": {blocks[:3], 2},
		"changed since":       {[][]byte{blocks[0], []byte("something else!!"), blocks[2]}, 3},
		"gone since":          {nil, 5},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.must(b.DB.Update(func(tx *index.Tx) error {
				f, err := tx.Folder(b.Folder)
				if err == nil {
					_, err = f.Put(b.file("other", blocks[:3]...))
				}
				return err
			}))
			if c.disk != nil {
				b.must(os.WriteFile(filepath.Join(b.root, "other"), bytes.Join(c.disk, nil), 0o644))
			}
			m := b.member("a", blocks...)
			j := b.run(b.file("new", blocks...), m)
			if j.Fetched != int64(c.missed*16) || m.served != c.missed {
				t.Errorf("%d bytes in %d blocks were fetched, not %d blocks", j.Fetched, m.served, c.missed)
			}
			b.whole(j, blocks...)
		})
	}
}

func TestManyFilesThatShareABlockFetchItOnce(t *testing.T) {
	b := newBench(t)
	blocks := pieces(1)
	m := b.member("a", blocks...)
	var jobs []*Job
	for i := range manySmall + 1 {
		jobs = append(jobs, &Job{
			Entry: b.file(entry.Path(fmt.Sprint("f", i)), blocks...), Name: fmt.Sprint("staged", i),
			Holders: map[entry.DeviceID]entry.Sequence{"a": 1},
		})
	}
	b.Gather(context.Background(), jobs, []Source{m})
	for _, j := range jobs {
		b.whole(j, blocks...)
	}
	if m.served != 1 {
		t.Errorf("it was fetched %d times", m.served)
	}
}

func TestASymlinkNeedsNoSource(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("symlinks need a privilege here")
	}
	b := newBench(t)
	e := &entry.Entry{Path: "link", Kind: entry.Symlink, Target: "../to/nothing", Mode: 0o777}
	j := b.run(e)
	b.must(j.Err)
	_, err := b.disk.Place("link", j.Staged.(*tree.Staged), tree.Meta{}, nil)
	b.must(err)
	if to, err := os.Readlink(filepath.Join(b.root, "link")); err != nil || to != e.Target {
		t.Errorf("the link points to %q: %v", to, err)
	}
}

// breaking is a member whose streams break: so many times in a row, before each
// block that it gives.
type breaking struct {
	*member
	times int

	mu   sync.Mutex
	left map[entry.BlockID]int
}

var errStream = errors.New("stream reset")

func (m *breaking) Fetch(ctx context.Context, ids []entry.BlockID, got func(int, []byte) error) error {
	m.mu.Lock()
	n, met := m.left[ids[0]]
	if !met {
		n = m.times
	}
	m.left[ids[0]] = n - 1
	m.mu.Unlock()
	if n > 0 {
		return errStream
	}
	if err := m.member.Fetch(ctx, ids[:1], got); err != nil || len(ids) == 1 {
		return err
	}
	return errStream
}

func TestAStreamThatBreaksIsNoReasonToGiveUp(t *testing.T) {
	for times, whole := range map[int]bool{1: true, brokenTries - 1: true, 50: false} {
		t.Run(fmt.Sprint(times), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				blocks := pieces(5)
				m := &breaking{member: b.member("a", blocks...), times: times, left: map[entry.BlockID]int{}}
				j := b.run(b.file("f", blocks...), m)
				if whole {
					b.whole(j, blocks...)
				} else if !errors.Is(j.Err, ErrUnavailable) {
					t.Errorf("it ends with %v", j.Err)
				}
			})
		})
	}
}
