package storytest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// siege is a laptop whose only backup is killed again and again.
type siege struct {
	*trio
	rng      *rand.Rand
	hand     *hand
	wake     func() // starts the laptop
	up       func() // starts the nas
	moments  []moment
	slowest  time.Duration // start of the nas
	tended   int           // chores of the nas that ended well
	hindered int           // and that did not
}

func newSiege(t *testing.T) *siege {
	t.Helper()
	s := &siege{trio: newTrio(t, noBrake()...), rng: chance(t, "when to kill")}
	s.wake, s.up = s.laptop.start, s.nas.start
	return s
}

// begin has the nas become a backup of what the laptop has.
func (s *siege) begin() {
	t := s.t
	t.Helper()
	copyTree(t, goSource(t), s.laptop.files, size(60, 300))
	oddities(t, s.laptop.files)
	write(t, s.laptop.at(shared+"/from before"), "nobody touches it")
	s.wake()
	s.laptop.do(nil, "add", s.laptop.files, "--name", label)
	s.up()
	s.backUp()
	s.hand = &hand{rng: chance(t, "what to write"), root: s.laptop.files, mark: "l-", tops: map[string]bool{}, most: 1 << 30}
	entries, err := os.ReadDir(s.laptop.files)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		s.hand.tops[e.Name()] = e.IsDir() && e.Name() != ".kith" && e.Name() != shared
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("laptop did:\n%s", s.hand)
		}
	})
}

// blow has the laptop write and the nas tend its vault, and kills the nas in
// the midst of that.
func (s *siege) blow() {
	s.t.Helper()
	chores := [][]string{{"prune", label}, {"verify", label}, {"prune", label, "--dry-run"}, {"status"}}
	chore := chores[s.rng.IntN(len(chores))]
	acts := 1 + s.rng.IntN(12)
	after := between(s.rng, 0, 400*time.Millisecond)
	if s.rng.IntN(4) == 0 {
		after = between(s.rng, 0, 20*time.Millisecond) // what was just begun
	}
	var busy sync.WaitGroup
	busy.Go(func() {
		for range acts {
			if err := s.hand.act(); err != nil {
				s.t.Error(err)
				return
			}
			let(between(s.hand.rng, 0, 20*time.Millisecond))
		}
	})
	busy.Go(func() {
		switch a := s.nas.ask(chore...); a.code {
		case 0:
			s.tended++
		case 3:
			if chore[0] == "verify" {
				s.t.Errorf("%s: %s", a.command, a.out)
			}
		default:
			s.hindered++
		}
	})
	let(after)
	s.nas.kill()
	busy.Wait()
	if s.rng.IntN(4) == 0 {
		s.nas.stumble(between(s.rng, 0, 150*time.Millisecond))
	}
	s.rise()
}

// rise starts the nas, which has to be quick.
func (s *siege) rise() {
	s.t.Helper()
	begun := time.Now()
	s.up()
	if took := time.Since(begun); took > s.slowest {
		s.slowest = took
	}
}

// protect waits until the nas has all that the laptop has, and records it.
func (s *siege) protect() moment {
	s.t.Helper()
	s.laptop.do(nil, "wait", "--for", "connected", "--timeout", "60s")
	s.laptop.do(nil, "wait", label, "--for", "protected", "--timeout", "2m")
	m := s.protected(look(s.t, s.laptop.files))
	s.moments = append(s.moments, m)
	return m
}

// last demands that all is as it should be in the end: what was acknowledged
// comes back, the vault is sound, and an index that is made anew from the packs
// says the same.
func (s *siege) last(moments []moment) {
	s.t.Helper()
	verified(s.t, s.nas)
	s.laptop.do(nil, "wait", "--for", "connected", "--timeout", "60s")
	verified(s.t, s.laptop)
	step := max(1, len(moments)/size(8, 60))
	for i := len(moments) - 1; i >= 0; i -= step {
		s.comesBack(s.laptop, moments[i], filepath.Join(s.laptop.base(), fmt.Sprintf("restored %d", i)))
	}
	var before []tree
	for _, m := range moments {
		before = append(before, s.lists(s.laptop, m))
	}
	s.nas.stop()
	if err := os.Remove(filepath.Join(s.nas.vault(), "index.db")); err != nil {
		s.t.Fatal(err)
	}
	s.rise()
	s.laptop.do(nil, "wait", "--for", "connected", "--timeout", "60s")
	s.laptop.do(nil, "wait", label, "--for", "protected", "--timeout", "2m")
	eventually(s.t, "the nas to be asked for the past", patience, func() error {
		if a := s.laptop.ask("ls", label, "--at", moments[0].then(), "--from", s.nas.ready.Device); a.code != 0 {
			return fmt.Errorf("%s: %s", a.command, a.err)
		}
		return nil
	})
	for i, m := range moments {
		if diff := before[i].differences(s.lists(s.laptop, m)); diff != "" {
			s.t.Errorf("as of %s an index that was made anew has other paths:\n%s", m.then(), diff)
		}
	}
	verified(s.t, s.nas)
	verified(s.t, s.laptop)
	s.soundness()
}

// soundness demands that nobody complains: nothing was set back, withheld or
// damaged.
func (s *siege) soundness() {
	s.t.Helper()
	for _, d := range []*device{s.laptop, s.nas} {
		for _, p := range d.folder().Problems {
			if p.Code != "conflict" {
				s.t.Errorf("%s complains: %+v", d.name, p)
			}
		}
	}
}

func TestKillingABackupAtAnyMomentLosesNothingThatItHasTaken(t *testing.T) {
	t.Parallel()
	s := newSiege(t)
	s.begin()
	s.nas.do(nil, "retention", label, "--keep-last", "1", "--keep-within", "0", "--keep-hourly", "0", "--keep-within-hourly", "0",
		"--keep-within-daily", "0", "--keep-within-weekly", "0", "--keep-monthly", "0", "--minimum-hold", "0")
	s.protect()
	kills := size(15, 200)
	for i := range kills {
		s.blow()
		if i%3 == 2 {
			s.protect()
		}
	}
	t.Logf("%d kills, %d chores done and %d not; the slowest start took %.1f s; %d moments", kills, s.tended, s.hindered, s.slowest.Seconds(), len(s.moments))
	if s.slowest > 10*time.Second {
		t.Errorf("the nas took %s to start after a kill", s.slowest)
	}
	// What is marked waits for a day: nothing that was acknowledged can be gone.
	s.last(s.moments)
}

// TestKillingABackupWhoseDaysPassPrunesAndLosesNothingThatItKeeps lets a day and
// more pass at each start of the nas, so that its prunes drop what has become old,
// and its packs are made anew.
func TestKillingABackupWhoseDaysPassPrunesAndLosesNothingThatItKeeps(t *testing.T) {
	if !*full {
		t.Skip("takes a program that is built for it: -full")
	}
	t.Parallel()
	clocked := clocked(t)
	s := newSiege(t)
	s.wake = func() { s.laptop.startAhead(clocked, 0) }
	s.up = func() {
		s.ahead += 30 * time.Hour
		s.nas.startAhead(clocked, s.ahead)
	}
	s.begin()
	s.nas.do(nil, "retention", label, "--keep-last", "1", "--keep-within", "0", "--keep-hourly", "0", "--keep-within-hourly", "0",
		"--keep-within-daily", "0", "--keep-within-weekly", "0", "--keep-monthly", "0", "--minimum-hold", "60h")
	var kept []moment
	dropped, freed := int64(0), int64(0)
	for i := range 200 {
		s.blow()
		if i%4 == 3 {
			m := s.keep(fmt.Sprintf("kept %d", i))
			if s.rng.IntN(2) == 0 {
				kept = append(kept, m)
			} else {
				s.nas.drops(m.label)
			}
		}
		n, bytes := s.nas.prunes()
		dropped, freed = dropped+n, freed+bytes
		writeNoise(t, s.hand.rng, s.laptop.at(fmt.Sprintf("big %d", i%3)), 2<<20) // so that there is more than a pack
	}
	t.Logf("the prunes that were not killed have dropped %d versions, %d MB; the slowest start took %.1f s", dropped, freed/1e6, s.slowest.Seconds())
	if dropped == 0 || freed <= 0 {
		t.Error("no prune has dropped anything")
	}
	s.last(append(kept, s.keep("the last")))
}

// keep records what is there now as a snapshot. By the laptop's clock most of
// what the nas has is still to come, so that it has to be called by a name.
func (s *siege) keep(name string) moment {
	s.t.Helper()
	m := s.protect()
	m.label = name
	s.laptop.do(nil, "snapshot", label, "-m", name)
	return m
}

// prunes drops what is no longer kept on the nas, and tells how much that was.
func (d *device) prunes() (versions, freed int64) {
	d.t.Helper()
	var p struct{ Dropped, Freed int64 }
	d.do(&p, "prune", label)
	return p.Dropped, p.Freed
}

// drops gives a snapshot up on the nas, which cannot read what it is called.
func (d *device) drops(name string) {
	d.t.Helper()
	var all struct{ Snapshots []struct{ Snapshot string } }
	d.do(&all, "snapshots", label)
	if len(all.Snapshots) == 0 || strings.Contains(fmt.Sprint(all), name) {
		d.t.Fatalf("%s lists %+v", d.name, all)
	}
	d.do(nil, "snapshot", label, "--drop", all.Snapshots[0].Snapshot)
}
