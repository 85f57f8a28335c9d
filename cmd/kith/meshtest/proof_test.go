//go:build linux

package meshtest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// plant is a damage done by hand to trees that the judge has found to be right.
type plant struct {
	name string
	want string // what the judge has to say, among other things
	// do damages the trees and undoes it again; nil if there is nothing here
	// that could be damaged so.
	do   func(*grounds) (undo func())
	told bool // the judge, what all last agreed upon
}

var plants = []plant{
	{name: "a file is gone from all", want: "I2: lost", do: func(g *grounds) func() { return g.onAll(g.pick(g.owed), leave) }},
	{name: "a file is gone from one", want: "I1: diverged", do: func(g *grounds) func() { return g.onOne(g.pick(g.owed), leave) }},
	{name: "a file is gone from all for no reason", told: true, want: "nobody has been busy there", do: func(g *grounds) func() {
		return g.onAll(g.pick(g.owed), leave)
	}},
	{name: "a byte differs on one", want: "I1: diverged", do: func(g *grounds) func() { return g.onOne(g.pick(g.owed), flip(g)) }},
	{name: "a byte differs on all", want: "I2: lost", do: func(g *grounds) func() { return g.onAll(g.pick(g.owed), flip(g)) }},
	{name: "a file is empty on all", want: "I2: lost", do: func(g *grounds) func() {
		return g.onAll(g.pick(g.owed), func(full string) error { return os.WriteFile(full, nil, 0o600) })
	}},
	{name: "a file can be executed on one", want: "I1: diverged", do: func(g *grounds) func() { return g.onOne(g.pick(g.owed), otherMode(g)) }},
	{name: "a link leads elsewhere on one", want: "I1: diverged", do: func(g *grounds) func() { return g.onOne(g.pick(g.links), elsewhere) }},
	{name: "a link leads elsewhere on all", want: "I2: lost", do: func(g *grounds) func() { return g.onAll(g.pick(g.links), elsewhere) }},
	{name: "a file is a link on one", want: "I1: diverged", do: func(g *grounds) func() { return g.onOne(g.pick(g.owed), elsewhere) }},
	{name: "a directory is more on one", want: "I1: diverged", do: func(g *grounds) func() {
		return g.onOne("planted", func(full string) error { return os.Mkdir(full, 0o755) })
	}},
	{name: "a file has another name on all", want: "is only at", do: misplace},
	{name: "a conflict copy is more on all", want: "I3: a conflict copy", do: func(g *grounds) func() { return g.spread(g.pick(g.owed), spurious) }},
	{name: "what was deleted is back on all", want: "was superseded there", do: revive},
	{name: "a relay's file is back on all", want: "I3: \"relay-1\"", do: func(g *grounds) func() {
		return g.onAll("relay-1/planted", func(full string) error { return os.WriteFile(full, []byte("back"), 0o600) })
	}},
	{name: "a relay's file is of another time on one", want: "I3: \"relay-", do: func(g *grounds) func() {
		return g.onOne(g.pickRelay(), func(full string) error { return g.copyTo(full, 0, time.Unix(1, 0)) })
	}},
	{name: "half of a file is to be seen on one", want: "I4: ", do: func(g *grounds) func() {
		return g.onOne(g.pick(g.owed), func(full string) error { return os.WriteFile(full, g.bytes(full)[:12], 0o600) })
	}},
	{name: "a file is to be seen where nobody put it", want: "I4: ", do: func(g *grounds) func() {
		return g.spread(g.pick(g.owed), func(p string) string { return path.Join(path.Dir(p), "planted") })
	}},
	{name: "something lies beside the folders", want: "I5: ", do: func(g *grounds) func() {
		full := filepath.Join(g.dir, "planted")
		g.report(os.WriteFile(full, nil, 0o600))
		return func() { _ = os.Remove(full) }
	}},
	{name: "something beside the folders has changed", want: "I5: ", do: func(g *grounds) func() {
		full := filepath.Join(g.dir, "canary", "bird")
		g.report(os.WriteFile(full, []byte("sinks"), 0o600))
		return func() { _ = os.WriteFile(full, []byte("sings"), 0o600) }
	}},
}

// prove damages the finished trees in every way that the judge has to find. It
// is the judge that is judged: what it does not find is wrong. It returns how
// many damages were done.
func (m *mesh) prove() int {
	tree, err := look(m.devices[0].root)
	if err != nil {
		m.fail("look at the tree: %v", err)
		return 0
	}
	r := rand.New(rand.NewPCG(m.seed, 16))
	if wrong := m.verdict(true); len(wrong) > 0 {
		m.fail("the judge, once more: %q", wrong)
		return 0
	}
	done := 0
	for _, p := range plants {
		g := &grounds{mesh: m, tree: tree, owed: m.owedOnce(tree, 'f'), links: m.owedOnce(tree, 'l'), rng: r}
		undo := p.do(g)
		if undo == nil {
			m.note("proof: %s: nothing here to show it with", p.name)
			continue
		}
		done++
		wrong := m.verdict(p.told)
		undo()
		if !slices.ContainsFunc(wrong, func(w string) bool { return strings.Contains(w, p.want) }) {
			m.fail("proof: %s, and the judge does not say %q but %q", p.name, p.want, wrong)
		}
	}
	if wrong := m.verdict(true); len(wrong) > 0 {
		m.fail("proof: all was undone, and the judge says %q", wrong)
	}
	m.note("proof: the judge has found all of %d damages", done)
	return done
}

// verdict is what the judge finds wrong with the trees as they are now. If it
// is not told what they were as all last agreed, but for what need not have
// been there, it has to go by the book.
func (m *mesh) verdict(told bool) []string {
	v := &mesh{plan: m.plan, profile: m.profile, dir: m.dir, keeper: m.keeper, book: m.book, ctx: m.ctx, begun: m.begun}
	v.journal = journal{file: m.journal.file}
	for _, d := range m.devices {
		v.devices = append(v.devices, &device{mesh: v, name: d.name, home: d.home, root: d.root, hold: d.hold})
	}
	for _, l := range m.relays {
		v.relays = append(v.relays, &relay{mesh: v, dir: l.dir, want: l.want})
	}
	tree, diffs, err := v.differences()
	v.report(err)
	for _, d := range diffs {
		v.fail("I1: diverged: %s", d)
	}
	if v.agreed = m.agreed; told {
		v.judgeUntouched(tree)
	}
	v.agreed = maps.Clone(m.agreed)
	maps.DeleteFunc(v.agreed, func(p string, n node) bool { return !isCopy(p) && (!n.content() || m.book.owed(p, n.sum)) })
	v.judgeTree(tree)
	v.judgeOutside()
	for _, d := range v.devices {
		d.look(m.ctx, map[seen]bool{})
	}
	return v.wrong
}

// TestTheJudgeFindsWhatIsPlanted has a user work on trees without kith, copies
// them by hand, and proves the judge on them.
func TestTheJudgeFindsWhatIsPlanted(t *testing.T) {
	for _, seed := range []uint64{1, 2} {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			m := byHand(t, seed)
			if n := m.prove(); n < len(plants)-2 {
				t.Errorf("only %d of %d damages could be done", n, len(plants))
			}
			for _, w := range m.wrong {
				t.Error(w)
			}
		})
	}
}

// byHand makes a mesh without a process, in which one user has worked.
func byHand(t *testing.T, seed uint64) *mesh {
	m := &mesh{
		plan: plan{seed: seed, profile: storm, devices: 3}, profile: profiles[storm], dir: t.TempDir(),
		book: newBook(seed), begun: time.Now(), ctx: t.Context(),
	}
	m.book.strict = true
	if err := m.journal.open(filepath.Join(t.TempDir(), "journal")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.journal.close)
	if err := m.canary(); err != nil {
		t.Fatal(err)
	}
	for i := range m.plan.devices {
		d, err := m.newDevice(i, deviceNames[i], "")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range []string{d.home, d.log()} {
			if err := os.WriteFile(f, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		m.devices = append(m.devices, d)
	}
	all := m.devices
	m.devices = all[:1] // it holds the relays
	r := rand.New(rand.NewPCG(seed, 1))
	m.newRelays(2, r)
	for range 80 {
		m.act(all[0], r, m.nextStep())
		u := &user{m: m, d: all[0], rng: r, step: m.nextStep()}
		for _, l := range m.relays {
			if _, made := l.act(u); made != nil {
				l.note(u, made)
			}
		}
	}
	m.users.Wait()
	for _, d := range all[1:] {
		if text, err := exec.CommandContext(t.Context(), "cp", "-a", all[0].root+"/.", d.root).CombinedOutput(); err != nil {
			t.Fatalf("copy the tree: %v: %s", err, text)
		}
	}
	m.devices = all
	var err error
	if m.agreed, err = look(all[0].root); err != nil {
		t.Fatal(err)
	}
	m.book.agree()
	return m
}
