package vault

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"
	"go.uber.org/goleak"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/protocol/seal"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(crashEnv); role != "" {
		fmt.Println(crashing())
		os.Exit(1)
	}
	if os.Getenv(rollingEnv) != "" {
		fmt.Println(rolling())
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

var testFolder = entry.FolderID{1, 15: 2}

const (
	anna entry.DeviceID = "12D3KooWAnna"
	ben  entry.DeviceID = "12D3KooWBen"
	mal  entry.DeviceID = "12D3KooWMallory"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// clock is a clock that stands until it is told.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)} }

func (c *clock) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// testVault opens a vault with small packs under a clock of its own.
func testVault(t testing.TB, dir string, c *clock) *Vault {
	t.Helper()
	return testVaultOn(t, dir, c, nil)
}

// testVaultOn is testVault with a store.
func testVaultOn(t testing.TB, dir string, c *clock, s Store) *Vault {
	t.Helper()
	v, err := Open(Options{Dir: dir, Folder: testFolder, PackSize: minPack, Grace: time.Hour, Clock: c.read, Store: s, noSync: true})
	must(t, err)
	t.Cleanup(func() { must(t, v.Close()) })
	return v
}

func reopened(t testing.TB, v *Vault, c *clock) *Vault {
	t.Helper()
	must(t, v.Close())
	return testVaultOn(t, v.dir, c, v.store)
}

// testBlock is a made-up sealed block: to a vault it is as good as any.
func testBlock(seed uint64, n int, from entry.DeviceID) Block {
	b := Block{Epoch: 1, Sealed: make([]byte, n), From: from}
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	r := rand.NewChaCha8(key)
	_, _ = r.Read(b.ID[:])
	_, _ = r.Read(b.Sealed)
	b.Sealed[0] = byte(seal.Raw)
	return b
}

// testRecord is a made-up record of path number path.
func testRecord(path uint64, v version.Version, blocks ...Block) *seal.Record {
	r := &seal.Record{Epoch: 1, Version: v, Sealed: make([]byte, 92)}
	binary.LittleEndian.PutUint64(r.ID[:], path*0x9e3779b97f4a7c15)
	binary.LittleEndian.PutUint64(r.Sealed, uint64(v.Clock))
	for i := range blocks {
		r.Blocks = append(r.Blocks, seal.BlockRef{ID: blocks[i].ID, SealedSize: uint32(len(blocks[i].Sealed))})
	}
	return r
}

// ver is a version by replica 1, 2, ... with the counters of all.
func ver(author version.ReplicaID, counts ...uint64) version.Version {
	v := version.Version{Author: author}
	for i, c := range counts {
		if c > 0 {
			v.Vector = append(v.Vector, version.Counter{Replica: version.ReplicaID(i + 1), Count: c})
			v.Clock += version.Clock(c)
		}
	}
	return v
}

func received(rs ...*seal.Record) []Received {
	var out []Received
	for _, r := range rs {
		out = append(out, Received{Record: r, From: anna})
	}
	return out
}

// put stores a record with its blocks.
func put(t testing.TB, v *Vault, blocks []Block, rs ...*seal.Record) {
	t.Helper()
	must(t, v.Put(t.Context(), blocks, received(rs...)))
}

// contents is all that an index says, in a form that can be compared: where
// things lie, and what a rebuilt index does not know, is left out.
func contents(t testing.TB, v *Vault) map[string]map[string]string {
	t.Helper()
	out := map[string]map[string]string{}
	must(t, v.db.view(func(tx *bbolt.Tx) error {
		tt, err := openTables(tx, nil)
		if err != nil {
			return err
		}
		for _, one := range []*table{tt.blocks, tt.records, tt.sequence, tt.pins, tt.packs} {
			rows := map[string]string{}
			out[one.name] = rows
			err := one.each(nil, nil, func(key, row []byte) (bool, error) {
				if one == tt.packs && row[1]&packRetired != 0 {
					return true, nil // it is on its way out
				}
				text, err := describe(v, one.name, row)
				rows[fmt.Sprintf("%x", key)] = text
				return true, err
			})
			if err != nil {
				return err
			}
		}
		return nil
	}))
	st := v.st
	st.marks, st.scrub, st.sum, st.next, st.counts.damaged = 0, scrubbing{}, 0, 0, 0
	if v.store != nil {
		st.moment = 0 // one may have been given out for an inventory that is not there
	}
	out["state"] = map[string]string{"state": fmt.Sprintf("%+v", st)}
	return out
}

func describe(v *Vault, name string, row []byte) (string, error) {
	switch name {
	case tableBlocks:
		vs, err := parseVariants(row)
		text := ""
		for _, one := range vs {
			text += fmt.Sprintf("%+v from %s; ", one, v.deviceOf(one.giver))
		}
		return text, err
	case tableRecords:
		r, err := parseRecordRow(row)
		return fmt.Sprintf("%+v from %s", r, v.deviceOf(r.giver)), err
	case tablePacks: // a kill may be between what the store has and what the index says
		row = slices.Clone(row)
		row[1] &^= packStowed | packPut
		fallthrough
	default:
		return fmt.Sprintf("%x", row), nil
	}
}

// checkRebuilt rebuilds the index and compares.
func checkRebuilt(t testing.TB, v *Vault) {
	t.Helper()
	before := contents(t, v)
	must(t, v.Rebuild())
	same(t, "the rebuilt index", contents(t, v), before)
}

// checkReadable reads everything that the vault says it holds.
func checkReadable(t testing.TB, v *Vault) {
	t.Helper()
	n := int64(0)
	for h, err := range v.Since(0) {
		must(t, err)
		n++
		for _, b := range h.Record.Blocks {
			if _, err := v.Block(b.ID); err != nil {
				t.Fatalf("record %s: %v", h.Record.ID, err)
			}
		}
	}
	totals, err := v.Totals()
	must(t, err)
	if n != totals.Versions || totals.Damaged != 0 {
		t.Fatalf("%d versions of %+v", n, totals)
	}
	for {
		s, err := v.Scrub(t.Context(), 1<<30)
		must(t, err)
		if s.Bad != 0 {
			t.Fatalf("scrub: %+v", s)
		}
		if s.Round {
			return
		}
	}
}

// asOf is the sealed parts of the newest versions of all records at a moment.
func asOf(t testing.TB, v *Vault, at time.Time) map[seal.RecordID][]string {
	t.Helper()
	out := map[seal.RecordID][]string{}
	for s, err := range v.AsOf(at) {
		must(t, err)
		for _, h := range s.Newest {
			out[s.ID] = append(out[s.ID], fmt.Sprintf("%v %x", h.Record.Version, h.Record.Sealed[:8]))
		}
		if !slices.IsSortedFunc(s.Newest, func(a, b Held) int {
			if a.Record.Version.Beats(b.Record.Version) {
				return -1
			}
			return 1
		}) {
			t.Errorf("record %s: the winner is not first", s.ID)
		}
	}
	return out
}

func packFiles(t testing.TB, v *Vault) []packFile {
	t.Helper()
	files, err := listPacks(filepath.Join(v.dir, "packs"))
	must(t, err)
	return files
}

func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// same compares contents, and says little about what differs.
func same(t testing.TB, what string, got, want map[string]map[string]string) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("%s (-want +got):\n%s", what, d[:min(len(d), 3000)])
	}
}

func sortedKeys(m map[moment]bool) []moment { return slices.Sorted(maps.Keys(m)) }
