package vault

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/vault/retention"
)

func TestAVaultGoesOnWhereARebuildCannotReachTheStore(t *testing.T) {
	v, s, _, all := stowedVault(t, 20)
	s.reads(func(context.Context, string, []byte, int64) (bool, error) { return true, errCut })
	if err := v.Rebuild(); !errors.Is(err, ErrStore) {
		t.Errorf("rebuild: %v", err)
	}
	later := testBlock(1000, 5000, anna)
	func() {
		defer func() {
			if r := recover(); r != nil {
				t.Fatalf("put: panic: %v", r)
			}
		}()
		if err := v.Put(t.Context(), []Block{later}, received(testRecord(1000, ver(1, 1000), later))); err != nil {
			t.Errorf("put: %v", err)
		}
	}()
	s.reads(nil)
	gives(t, v, append(all, later))
}

func TestAStoreThatGivesOtherBytesOnceLosesNothingOnTheWayBack(t *testing.T) {
	v, s, c, all := stowedVault(t, 20)
	bad := map[string]bool{}
	s.reads(func(ctx context.Context, name string, p []byte, off int64) (bool, error) {
		if !strings.HasSuffix(name, ".blocks") || bad[name] {
			return false, nil
		}
		bad[name] = true
		err := s.Store.ReadAt(ctx, name, p, off)
		p[len(p)/2] ^= 1
		return true, err
	})
	for left := int64(1); left > 0; {
		var err error
		if left, err = v.Unstow(t.Context(), 1<<30); err != nil {
			t.Log(err)
		}
	}
	gives(t, v, all)
	v = reopened(t, v, c)
	gives(t, v, all)
}

func TestAPackThatIsAwayForAWhileIsNotTakenToLieInTheStore(t *testing.T) {
	c := newClock()
	v := testVaultOn(t, t.TempDir(), c, directoryAt(t, t.TempDir()))
	var all []Block
	for i := range uint64(20) {
		b := testBlock(i, 9000, anna)
		all = append(all, b)
		put(t, v, []Block{b}, testRecord(i, ver(1, i+1), b))
	}
	path := packPath(v.packDir, 1, classBlocks)
	must(t, os.Rename(path, path+".away"))
	_, _ = v.Stow(t.Context(), 1<<30, true)
	must(t, os.Rename(path+".away", path))
	v = reopened(t, v, c)
	gives(t, v, all)
}

func TestWhatTheStoreDidNotKeepDoesNotLeaveTheDirectory(t *testing.T) {
	c := newClock()
	s := &bent{Store: directoryAt(t, t.TempDir())}
	v := testVaultOn(t, t.TempDir(), c, s)
	b := testBlock(1, 5000, anna)
	put(t, v, []Block{b}, testRecord(1, ver(1, 1), b))
	s.put = func(name string) (bool, error) { return strings.HasSuffix(name, ".blocks"), nil }
	if done, err := v.Stow(t.Context(), 1<<30, true); err == nil {
		t.Errorf("stowed: %+v", done)
	}
	gives(t, v, []Block{b})
}

func TestAStoreThatHoldsNothingOfTheVaultIsRefused(t *testing.T) {
	v, s, _, all := stowedVault(t, 3)
	if err := v.SetStore(directoryAt(t, t.TempDir())); !errors.Is(err, ErrRefused) {
		t.Errorf("another store was taken: %v", err)
	}
	v.store = s
	gives(t, v, all)
}

func TestNewKeysOfAStoreAreUsedAtOnce(t *testing.T) {
	v, s, _, all := stowedVault(t, 20)
	gives(t, v, all[:1])
	v.segments.forget(packName(1, classBlocks))
	s.reads(func(context.Context, string, []byte, int64) (bool, error) { return true, errCut }) // the old keys are refused
	must(t, v.SetStore(s.Store))
	gives(t, v, all)
}

func TestWhoGivesUpDoesNotWaitForTheStore(t *testing.T) {
	for what, do := range map[string]func(context.Context, *Vault) error{
		"scrub":  func(ctx context.Context, v *Vault) error { _, err := v.Scrub(ctx, 1<<30); return err },
		"unstow": func(ctx context.Context, v *Vault) error { _, err := v.Unstow(ctx, 1<<30); return err },
	} {
		t.Run(what, func(t *testing.T) {
			v, s, _, _ := stowedVault(t, 20)
			reached, free := hangs(t, s)
			ctx, cancel := context.WithCancel(t.Context())
			soon(t, what, func() {
				go func() { <-reached; cancel() }()
				if err := do(ctx, v); !errors.Is(err, context.Canceled) {
					t.Errorf("%v", err)
				}
			})
			free()
		})
	}
}

func TestAReadThatHangsHoldsUpNobodyElse(t *testing.T) {
	for what, do := range map[string]func(*testing.T, *Vault, *clock){
		"stow": func(t *testing.T, v *Vault, _ *clock) {
			_, err := v.Stow(t.Context(), 1<<30, true)
			must(t, err)
		},
	} {
		t.Run(what, func(t *testing.T) {
			v, s, c, all := stowedVault(t, 20)
			later := testBlock(1000, 5000, anna)
			put(t, v, []Block{later}, testRecord(1000, ver(1, 1000), later))
			reached, free := hangs(t, s)
			var run sync.WaitGroup
			run.Go(func() { _, _ = v.Block(all[0].ID) })
			<-reached
			soon(t, what, func() { do(t, v, c) })
			soon(t, "put", func() {
				b := testBlock(2000, 5000, anna)
				put(t, v, []Block{b}, testRecord(2000, ver(1, 2000), b))
			})
			soon(t, "has", func() { _, err := v.HasBlocks(nil); must(t, err) })
			soon(t, "totals", func() { _, err := v.Totals(); must(t, err) })
			free()
			run.Wait()
		})
	}
}

func TestAPackThatCannotBeReadHereIsNotTheStoresFault(t *testing.T) {
	for kind, open := range stores {
		if kind == "no store" {
			continue
		}
		t.Run(kind, func(t *testing.T) {
			c := newClock()
			v := testVaultOn(t, t.TempDir(), c, open(t))
			var all []Block
			for i := range uint64(20) {
				b := testBlock(i, 9000, anna)
				all = append(all, b)
				put(t, v, []Block{b}, testRecord(i, ver(1, i+1), b))
			}
			must(t, os.Truncate(packPath(v.packDir, 1, classBlocks), 20000))
			_, err := v.Stow(t.Context(), 1<<30, true)
			if errors.Is(err, ErrStore) {
				t.Errorf("stow: %v", err)
			}
			if n := v.stowedPacks(); len(n) < 2 {
				t.Errorf("%d packs were stowed", len(n))
			}
			for _, b := range all[15:] {
				_, err := v.Block(b.ID)
				must(t, err)
			}
		})
	}
}

func TestAServerThatIsNoBucketIsNoDamage(t *testing.T) {
	page := strings.Repeat("<html>Sign in to this network.</html>", 100)
	for what, answer := range map[string]http.HandlerFunc{
		"not found": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, page, http.StatusNotFound) },
		"a page":    func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, page) },
		"a file, whatever is asked for": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
			w.Header().Set("Content-Length", strconv.Itoa(len(page)))
			w.WriteHeader(http.StatusOK)
			if r.Method != http.MethodHead {
				_, _ = io.WriteString(w, page)
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			v, s, _, all := stowedVault(t, 20)
			good := s.Store
			s.Store = impostor(t, answer)
			for _, b := range all[:1] {
				if _, err := v.Block(b.ID); !errors.Is(err, ErrStore) {
					t.Errorf("read: %v", err)
				}
			}
			if _, err := v.Scrub(t.Context(), 1<<30); !errors.Is(err, ErrStore) {
				t.Errorf("scrub: %v", err)
			}
			s.Store = good
			gives(t, v, all)
		})
	}
}

func TestAReadOnItsWayFindsWhatComesBackMeanwhile(t *testing.T) {
	v, s, _, all := stowedVault(t, 5)
	reached, free := hangs(t, s)
	var run sync.WaitGroup
	run.Go(func() { _, _ = v.Block(all[0].ID) })
	<-reached
	s.reads(nil)
	done := make(chan struct{})
	run.Go(func() {
		defer close(done)
		_, err := v.Unstow(t.Context(), 1<<30)
		if err != nil {
			t.Error(err)
		}
	})
	select {
	case <-done:
	case <-time.After(300 * time.Millisecond): // or it waits for who reads
	}
	free()
	run.Wait()
	gives(t, v, all)
}

func TestACrashOnTheWayBackLeavesNothingInTheStore(t *testing.T) {
	v, s, c, all := stowedVault(t, 20)
	errStop := errors.New("stop")
	n := 0
	v.hook = func(step string) error {
		if step == "committed" {
			if n++; n == 1 {
				return errStop
			}
		}
		return nil
	}
	if _, err := v.Unstow(t.Context(), 1<<30); !errors.Is(err, errStop) {
		t.Fatal(err)
	}
	v = reopened(t, v, c)
	for left := int64(1); left > 0; {
		var err error
		left, err = v.Unstow(t.Context(), 1<<30)
		must(t, err)
	}
	if left := names(t, s); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	gives(t, v, all)
}

func TestAllThatIsDoneAtOnceWithAStoreLosesNothing(t *testing.T) {
	c := newClock()
	place := t.TempDir()
	v := testVaultOn(t, t.TempDir(), c, directoryAt(t, place))
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	var mu sync.Mutex
	var all []Block
	var run sync.WaitGroup
	again := func(do func(i uint64) error) {
		run.Go(func() {
			for i := uint64(0); ctx.Err() == nil; i++ {
				if err := do(i); err != nil && ctx.Err() == nil && !errors.Is(err, ErrRefused) {
					t.Error(err)
					return
				}
			}
		})
	}
	one := func(i uint64) (Block, bool) {
		mu.Lock()
		defer mu.Unlock()
		if len(all) == 0 {
			return Block{}, false
		}
		return all[int(i*7)%len(all)], true
	}
	again(func(i uint64) error {
		b := testBlock(i, 9000, anna)
		err := v.Put(t.Context(), []Block{b}, received(testRecord(i%50, ver(1, i+1), b)))
		mu.Lock()
		defer mu.Unlock()
		all = append(all, b)
		c.pass(time.Second)
		return err
	})
	for range 2 {
		again(func(i uint64) error {
			b, is := one(i)
			if !is {
				return nil
			}
			got, err := v.Block(b.ID)
			if err == nil && string(got) != string(b.Sealed) {
				t.Error("other bytes")
			}
			return err
		})
	}
	again(func(i uint64) error { _, err := v.Stow(ctx, 200<<10, i%3 == 0); return err })
	again(func(i uint64) error { _, err := v.Unstow(ctx, 100<<10); return err })
	again(func(i uint64) error { return v.SetStore(directoryAt(t, place)) })
	again(func(i uint64) error { _, err := v.Scrub(ctx, 300<<10); return err })
	again(func(i uint64) error { _, err := v.Prune(ctx, retention.Policy{Within: retention.Forever}); return err })
	again(func(i uint64) error {
		if i%8 == 0 {
			return v.Rebuild()
		}
		_, err := v.Totals()
		return err
	})
	run.Wait()
	gives(t, v, all)
	checkReadable(t, v)
	v = reopened(t, v, c)
	checkReadable(t, v)
	checkRebuilt(t, v)
}

// TestWhatIsReadFromTheStoreIsHandedOnAsItComes is about a line on which a
// mebibyte takes seconds: who asked gives up where nothing comes for a minute.
func TestWhatIsReadFromTheStoreIsHandedOnAsItComes(t *testing.T) {
	v, s, _, all := stowedVault(t, 80)
	var ids []entry.BlockID
	for _, b := range all {
		ids = append(ids, b.ID)
	}
	reads, most := 0, 0
	s.reads(func(context.Context, string, []byte, int64) (bool, error) {
		reads++
		return false, nil
	})
	must(t, v.EachBlock(t.Context(), ids, func(i int, sealed []byte) error {
		if string(sealed) != string(all[i].Sealed) {
			t.Errorf("block %d: other bytes", i)
		}
		most, reads = max(most, reads), 0
		return nil
	}))
	if most > 2 {
		t.Errorf("%d answers of the store were waited for before something was handed on", most)
	}
}

func TestACopyHereThatIsDamagedDoesNotCostTheOneInTheStore(t *testing.T) {
	v, _, c, all := stowedVault(t, 20)
	path := packPath(v.packDir, 2, classRecords)
	data, err := os.ReadFile(path)
	must(t, err)
	data[len(data)/2] ^= 1
	must(t, os.WriteFile(path, data, 0o600))
	v = reopened(t, v, c)
	for left := int64(1); left > 0; {
		left, err = v.Unstow(t.Context(), 1<<30)
		must(t, err)
	}
	gives(t, v, all)
	checkReadable(t, v)
}

func TestADiskThatIsFullOnTheWayBackIsWaitedFor(t *testing.T) {
	v, s, c, all := stowedVault(t, 40)
	v.SetLimits(Limits{KeepFree: 1 << 20})
	v.free = func(string) (int64, error) { return 1<<20 + 70<<10, nil }
	if _, err := v.Unstow(t.Context(), 1); err != nil {
		t.Error(err)
	}
	v.free = func(string) (int64, error) { return 1 << 20, nil }
	left, err := v.Unstow(t.Context(), 1<<30)
	if !errors.Is(err, ErrDiskFull) || left == 0 {
		t.Errorf("%d left, %v", left, err)
	}
	gives(t, v, all)
	v.free = func(string) (int64, error) { return 1 << 40, nil }
	if left, err := v.Unstow(t.Context(), 1<<30); err != nil || left != 0 {
		t.Errorf("%d left, %v", left, err)
	}
	must(t, v.SetStore(nil))
	gives(t, v, all)
	if left := names(t, s); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	v = reopened(t, v, c)
	gives(t, v, all)
}

const waysBack = 8

func TestAPackThatIsLostInTheStoreIsGotOver(t *testing.T) {
	for what, lose := range map[string]func(path string) error{
		"gone":    os.Remove,
		"cut off": func(path string) error { return os.Truncate(path, 20000) },
		"rotten":  func(path string) error { return os.WriteFile(path, make([]byte, 63928), 0o600) },
	} {
		t.Run(what, func(t *testing.T) {
			v, s, c, all := stowedVault(t, 20)
			must(t, lose(filepath.Join(s.dir, packName(1, classBlocks))))
			v = reopened(t, v, c)
			for done := false; !done; {
				r, err := v.Scrub(t.Context(), 1<<30)
				must(t, err)
				done = r.Round
			}
			damaged, err := v.Damaged()
			must(t, err)
			for _, d := range damaged {
				for _, b := range all {
					if b.ID == d.Block {
						_, err := v.Repair(t.Context(), b)
						must(t, err)
					}
				}
			}
			if len(damaged) == 0 {
				t.Error("nothing was found")
			}
			for range 3 {
				_, _ = v.Prune(t.Context(), retention.Policy{Within: retention.Forever}) // may say what it could not do
				c.pass(2 * time.Hour)
			}
			_, _ = v.Stow(t.Context(), 1<<30, true)
			later := testBlock(1000, 5000, anna)
			put(t, v, []Block{later}, testRecord(1000, ver(1, 1000), later))
			stow(t, v)
			gives(t, v, append(all, later))
			must(t, v.Close())
			must(t, os.RemoveAll(v.dir))
			v = testVaultOn(t, v.dir, c, s)
			gives(t, v, append(all, later))
		})
	}
}
