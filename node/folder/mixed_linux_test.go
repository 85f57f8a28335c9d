package folder_test

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/folder"
	"github.com/kithmesh/kith/node/folder/brake"
	"github.com/kithmesh/kith/node/folder/choice"
	"github.com/kithmesh/kith/node/folder/merge"
)

// Random histories like those of [TestRandomHistoriesKeepEverythingAndConverge]
// in which, besides, roles change, files are freed and asked for again, choices
// are made and local edits reverted. In the end all devices get the role sync
// and ask for everything: then what holds of the others holds of these.
//
//	go test ./node/folder -run TestMixedHistories -histories 300 [-history-seed N]
func TestMixedHistoriesKeepEverythingAndConverge(t *testing.T) {
	began := time.Now()
	for i := 0; i < *histories || *histories == 0 && time.Since(began) < 4*time.Second; i++ {
		seed := *historySeed + uint64(i)
		if !t.Run(fmt.Sprint(seed), func(t *testing.T) { runMixed(t, seed) }) {
			t.Fatalf("replay: go test ./node/folder -run TestMixedHistories -histories 20 -history-seed %d", seed)
		}
	}
}

type mixed struct {
	*history
	hands  map[*device]*hand
	losses bool // of indexes
}

func runMixed(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 8))
	h := &history{
		w: newWorld(t, []string{"anna", "ben", "carla"}[:2+rng.IntN(2)]...), rng: rng, began: time.Now(),
		bodies: map[[32]byte]bool{}, void: map[string]bool{},
		held: map[*device]*os.File{}, path: map[*device]string{}, away: map[*device]bool{},
	}
	m := &mixed{history: h, hands: map[*device]*hand{}, losses: rng.IntN(6) == 0}
	t.Cleanup(func() {
		if t.Failed() {
			for _, d := range h.w.all {
				if d.folder != nil {
					h.note(d, "in the end", fmt.Sprintf("%+v", d.folder.Status()), d.files())
				}
			}
			h.mu.Lock()
			defer h.mu.Unlock()
			t.Logf("what happened:\n%s", h.steps.String())
		}
	})
	h.made("") // for a moment, by who writes in place
	h.w.limit.Records = []int{1, 3, 1000}[rng.IntN(3)]
	for _, d := range h.w.all {
		d.skew = []time.Duration{0, 0, time.Hour, -time.Hour}[rng.IntN(4)]
		d.log = slog.New(slog.NewTextHandler(h, &slog.HandlerOptions{Level: slog.LevelDebug})).With("on", d.name)
		must(t, os.Mkdir(filepath.Join(d.home, "trash"), 0o755))
		m.hands[d] = handOf(d)
		m.hands[d].limit = brake.Limits{Files: 1 << 40, Share: 100}
		if rng.IntN(3) == 0 {
			m.hands[d].role = m.role()
		}
		for range rng.IntN(3) {
			h.user(d)
		}
		d.up()
	}
	h.w.linkAll()
	for range 15 + rng.IntN(50) {
		m.step()
	}
	m.end()
}

func (m *mixed) loseIndex(h *hand) {
	m.note(h.device, "loses its index")
	h.device.loseIndex()
	h.attach()
	h.up()
}

func (m *mixed) role() entry.Role {
	return []entry.Role{entry.RoleSync, entry.RoleSend, entry.RoleReceive, entry.RoleArchive}[m.rng.IntN(4)]
}

func (m *mixed) step() {
	d := m.pick()
	h := m.hands[d]
	switch r := m.rng.IntN(100); {
	case r < 60:
		m.history.step()
	case d.folder == nil || m.away[d]:
	case r < 61:
		if m.losses {
			m.loseIndex(h)
		}
	case r < 70:
		role := m.role()
		m.note(d, "role", role)
		h.become(role)
	case r < 84:
		m.free(h)
	case r < 92:
		p := entry.Path(m.known(d))
		m.note(d, "get", p)
		h.get(p)
	case r < 95:
		p := entry.Path(m.place(d))
		m.note(d, "choose", p)
		h.choose(choice.Rule{Path: p, Here: m.rng.IntN(2) == 0})
	default:
		m.revert(h)
	}
}

// known is one of the paths that a device knows of.
func (m *mixed) known(d *device) string {
	if m.rng.IntN(3) == 0 {
		return m.place(d)
	}
	for p := range d.entries() {
		return string(p)
	}
	return "a"
}

// free drops what one connected device, or more, prove to hold.
func (m *mixed) free(h *hand) {
	var holders []proof
	for _, o := range m.w.all {
		if m.w.lines[[2]*device{h.device, o}] != nil && m.hands[o].role != entry.RoleArchive {
			holders = append(holders, o.proves)
		}
	}
	if len(holders) == 0 {
		return
	}
	ctx, cancel := bounded()
	defer cancel()
	if h.folder.Check(ctx) != nil || h.folder.Status().State == folder.Failed {
		return
	}
	p := entry.Path(m.place(h.device))
	if m.rng.IntN(4) == 0 {
		p = ""
	}
	between := func() {
		if m.rng.IntN(4) == 0 {
			m.user(h.device)
		}
	}
	out := h.free(p, 1+m.rng.IntN(len(holders)), between, holders...)
	m.note(h.device, "free", p, out.dropped, out.kept)
}

// revert gives up local edits: nothing is asked any more of what they hold.
func (m *mixed) revert(h *hand) {
	lay := map[string]string{}
	for _, p := range m.seen(h.device) {
		b, _ := os.ReadFile(h.path(p))
		target, _ := os.Readlink(h.path(p))
		lay[p] = string(b) + target
	}
	ctx, cancel := bounded()
	defer cancel()
	paths, err := h.folder.Revert(ctx, "", false)
	m.note(h.device, "revert", paths, err)
	for _, p := range paths {
		// What was looked at may just have moved aside.
		for _, k := range mark.FindAllString(lay[string(p)]+lay[string(merge.CopyOf(p))], -1) {
			m.void[k] = true
		}
	}
}

// end has all devices sync everything, and judges.
func (m *mixed) end() {
	for _, d := range m.w.all {
		m.letGo(d)
		if m.away[d] {
			m.turnRoot(d)
		}
		if d.folder == nil {
			m.turnPower(d)
		}
		ctx, cancel := bounded()
		must(m.w.t, d.folder.Check(ctx))
		cancel()
	}
	for _, d := range m.w.all {
		// What was asked for and is nowhere any more is asked for no longer.
		m.hands[d].choose(choice.Rule{})
	}
	m.note(m.w.all[0], "all linked")
	m.w.linkAll()
	for _, d := range m.w.all {
		m.note(d, "to sync")
		m.hands[d].become(entry.RoleSync)
	}
	m.w.settle()
	m.w.coherent()
	m.replaceLost()
	for _, d := range m.w.all {
		m.hands[d].get("")
	}
	m.w.settle()
	m.judge()
}

// replaceLost makes anew what is known and nowhere: an archive, or a device that
// only receives, has deleted it before anybody else had it.
func (m *mixed) replaceLost() {
	for again := true; again; {
		again = false
		has := m.contents()
		for _, d := range m.w.all {
			for p, e := range d.entries() {
				if again || !e.Absent || has[lying(e)] {
					continue
				}
				again = true
				m.note(d, "make what is lost", p, e.Kind)
				if e.Kind == entry.Directory {
					m.parents(d, string(p)+"/")
					continue
				}
				c := m.content()
				m.replace(d, string(p), func(draft string) error { return os.WriteFile(draft, []byte(c), 0o644) })
			}
		}
		m.w.settle()
	}
}

// contents are those of all that lies somewhere.
func (m *mixed) contents() map[string]bool {
	has := map[string]bool{}
	for _, d := range m.w.all {
		for _, e := range d.entries() {
			if !e.Absent {
				has[lying(e)] = true
			}
		}
	}
	return has
}

// lying is what has to lie somewhere so that e can be had: just that, at its path.
func lying(e *entry.Entry) string {
	d := e.Digest()
	return fmt.Sprintf("%s %x", e.Path, d)
}

// judge is [history.judge] where there are local edits and absent rows to miss.
func (m *mixed) judge() {
	m.w.t.Helper()
	m.w.coherent()
	for _, d := range m.w.all {
		for p, e := range d.entries() {
			if e.Absent {
				m.w.t.Errorf("%s: %q is not here", d.name, p)
			}
		}
		for p, l := range d.locals() {
			m.w.t.Errorf("%s: %q is left here alone: %+v", d.name, p, l)
		}
	}
	m.history.judge()
}
