package storytest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

func TestTwoDevicesOnALANFindEachOtherPairAndKeepARealFolderTheSame(t *testing.T) {
	t.Parallel()
	laptop, phone := onLAN(t)
	keepTheSame(t, laptop, phone, plan{
		files: size(500, 1<<30), big: int64(size(32<<20, 1<<30)), operations: size(60, 300),
	})
}

func TestTwoDevicesThatAreToldWhereTheyAreKeepAFolderTheSame(t *testing.T) {
	t.Parallel()
	laptop, phone := atHome(t)
	keepTheSame(t, laptop, phone, plan{
		files: size(100, 3000), big: int64(size(4<<20, 64<<20)), operations: size(40, 300),
	})
}

// plan is how much of a folder there is, and how much is done to it.
type plan struct {
	files      int   // of Go's source, at most
	big        int64 // bytes of one file more
	operations int   // on both devices together
}

func keepTheSame(t *testing.T, laptop, phone *device, p plan) {
	copyTree(t, goSource(t), laptop.files, p.files)
	oddities(t, laptop.files)
	writeNoise(t, chance(t, "the big file"), laptop.at("big/random"), p.big)
	write(t, laptop.at(shared+"/from before"), "nobody touches it")
	share(t, laptop, phone)
	begun := time.Now()
	first := sameTrees(t, phone, laptop, 20*time.Minute)
	n, bytes := first.files()
	t.Logf("%d files, %d MB are on both after %.1f s", n, bytes/1e6, time.Since(begun).Seconds())
	nothingLeft(t, laptop, phone)
	noConflicts(t, first)

	ours, theirs := hands(t, laptop, phone, n/8) // far from what is held
	workAtOnce(t, ours, theirs, p.operations/2)
	mine, their := ours.truth(t), theirs.truth(t)
	begun = time.Now()
	last := sameTrees(t, laptop, phone, time.Duration(size(1, 5))*time.Minute)
	t.Logf("the same again %.1f s after the last operation", time.Since(begun).Seconds())
	want := maps.Clone(mine)
	maps.Copy(want, their)
	for path, i := range first {
		if !ours.owns(path) && !theirs.owns(path) {
			want[path] = i
		}
	}
	if diff := last.differences(want); diff != "" {
		t.Errorf("both devices have other files than their owners left (the other is what should be):\n%s", diff)
	}
	nothingLeft(t, laptop, phone)
	noConflicts(t, last)
}

// hands gives each of two devices a hand, and divides the top directories
// between them. Each hand takes away so many files at most with whole trees.
func hands(t *testing.T, laptop, phone *device, most int) (ours, theirs *hand) {
	t.Helper()
	ours = &hand{rng: chance(t, "laptop's hand"), root: laptop.files, mark: "l-", tops: map[string]bool{}, most: most}
	theirs = &hand{rng: chance(t, "phone's hand"), root: phone.files, mark: "p-", tops: map[string]bool{}, most: most}
	entries, err := os.ReadDir(laptop.files)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range entries {
		if e.IsDir() && e.Name() != shared && e.Name() != ".kith" {
			[]*hand{ours, theirs}[i%2].tops[e.Name()] = true
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("laptop did:\n%s\nphone did:\n%s", ours, theirs)
		}
	})
	return ours, theirs
}

// workAtOnce has both hands work at the same time, with short rests, so that
// what one does arrives while the other is at it.
func workAtOnce(t *testing.T, a, b *hand, each int) {
	t.Helper()
	var both sync.WaitGroup
	for _, h := range []*hand{a, b} {
		both.Go(func() {
			for range each {
				if err := h.act(); err != nil {
					t.Errorf("%s: %v", h.mark, err)
					return
				}
				let(between(h.rng, 0, 40*time.Millisecond))
			}
		})
	}
	both.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// truth is what lies in the hand's part of its tree: nobody else changes it.
// The directory shared is in it for its files alone.
func (h *hand) truth(t *testing.T) tree {
	t.Helper()
	got, err := readTree(h.root, h.owns)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func (h *hand) String() string {
	text := ""
	for i, what := range h.done {
		text += fmt.Sprintf("  %d. %s\n", i+1, what)
	}
	return text
}

func TestASmallEditIsOnTheOtherDeviceWithinASecond(t *testing.T) {
	laptop, phone := onLANOrAtHome(t)
	copyTree(t, goSource(t), laptop.files, size(300, 5000))
	write(t, laptop.at("notes/today.txt"), "first")
	share(t, laptop, phone)
	sameTrees(t, phone, laptop, 10*time.Minute)
	rng := chance(t, "edits")
	var took []time.Duration
	for i := range size(10, 30) {
		let(between(rng, 300*time.Millisecond, 700*time.Millisecond)) // all is idle again
		from, to := laptop, phone
		if i%2 == 1 {
			from, to = phone, laptop
		}
		text := fmt.Sprintf("edit %d\n", i)
		begun := time.Now()
		write(t, from.at("notes/today.txt"), text)
		took = append(took, arrival(t, to.at("notes/today.txt"), text, begun))
	}
	p50, p95 := percentile(took, 50), percentile(took, 95)
	t.Logf("%d edits: p50 %v, p95 %v", len(took), p50.Round(time.Millisecond/10), p95.Round(time.Millisecond/10))
	if p95 > time.Second {
		t.Errorf("p95 is %v, more than a second: %v", p95, took)
	}
	sameTrees(t, phone, laptop, time.Minute)
}

// onLANOrAtHome makes two devices on a network if there can be one.
func onLANOrAtHome(t *testing.T) (laptop, phone *device) {
	t.Helper()
	if canHaveLAN() == nil {
		return onLAN(t)
	}
	return atHome(t)
}

// arrival is how long after begun a file held some content.
func arrival(t *testing.T, path, content string, begun time.Time) time.Duration {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for has(path, content) != nil {
		if time.Since(begun) > patience {
			t.Fatalf("the edit is not in %q after %s", filepath.Base(path), patience)
		}
		<-tick.C
	}
	return time.Since(begun)
}
