package merge

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// The merge rules on random histories: two to four devices whose users write
// and delete, that scan late, hear each other late, apply what they can have
// now, have clocks far off, and sometimes lose their index. In the end all are
// connected, and then: equal vectors mean equal payloads; all trees are equal;
// every content that no user overwrote or deleted before their eyes is in
// every tree; what lives has a living directory; nothing stays wanted.
//
//	go test ./node/folder/merge -run TestMergeRules -merges 200000 [-merge-seed N]
var (
	merges    = flag.Int("merges", 4000, "random histories of the merge rules to run")
	mergeSeed = flag.Uint64("merge-seed", 0, "first seed of the random histories")
)

func TestMergeRulesKeepEverythingAndConverge(t *testing.T) {
	for i := range *merges {
		seed := *mergeSeed + uint64(i)
		if err := runHistory(seed); err != nil {
			t.Fatalf("%v\nreplay: go test ./node/folder/merge -run TestMergeRules -merges 1 -merge-seed %d", err, seed)
		}
	}
}

var modelPaths = []entry.Path{"a", "b", "a/x", "a/y", "b/x"}

// modelDevice is a device without a disk: its tree is what its user sees.
type modelDevice struct {
	name    string
	id      entry.DeviceID
	skew    int64
	now     int64
	life    int
	replica version.ReplicaID
	count   uint64
	next    entry.Sequence
	tree    map[entry.Path]modelFile
	entries map[entry.Path]*entry.Entry
	wanted  map[entry.Path][]Want
	heard   map[version.ReplicaID]entry.Sequence
	lives   map[entry.DeviceID]int // the life of each peer that was last heard
	unknown map[entry.Path]bool
	fault   error
}

// modelFile is a directory if text is empty.
type modelFile struct{ text string }

func newModelDevice(i int, skew int64) *modelDevice {
	d := &modelDevice{
		name: string(rune('A' + i)), id: entry.DeviceID(rune('A' + i)), skew: skew, tree: map[entry.Path]modelFile{},
		lives: map[entry.DeviceID]int{},
	}
	d.newIndex()
	return d
}

// newIndex is a first start, or one after the index was lost.
func (d *modelDevice) newIndex() {
	d.life++
	d.replica = version.ReplicaID(d.id[0])<<8 | version.ReplicaID(d.life)
	d.count, d.next = 0, 0
	d.entries, d.wanted = map[entry.Path]*entry.Entry{}, map[entry.Path][]Want{}
	d.heard = map[version.ReplicaID]entry.Sequence{}
	d.unknown = map[entry.Path]bool{}
	for p := range d.tree {
		d.unknown[p] = true
	}
}

func modelEntry(p entry.Path, f modelFile) *entry.Entry {
	e := &entry.Entry{Path: p, Kind: entry.Directory}
	if f.text != "" {
		e.Kind, e.Size = entry.File, 1
		e.Blocks = []entry.Block{{Length: 1}}
		copy(e.Blocks[0].ID[:], f.text)
	}
	return e
}

func modelText(e *entry.Entry) modelFile {
	if e.Kind == entry.Directory {
		return modelFile{}
	}
	n := slices.Index(e.Blocks[0].ID[:], 0)
	return modelFile{string(e.Blocks[0].ID[:n])}
}

// local is what Decide meets at p: the entry, or what is there of unknown history.
func (d *modelDevice) local(p entry.Path) *entry.Entry {
	if d.unknown[p] {
		e := modelEntry(p, d.tree[p])
		e.Unknown = true
		return e
	}
	return d.entries[p]
}

func (d *modelDevice) put(e *entry.Entry) {
	d.next++
	e.Sequence = d.next
	d.entries[e.Path] = e
	delete(d.unknown, e.Path)
	if e.Lives() {
		d.tree[e.Path] = modelText(e)
	} else {
		delete(d.tree, e.Path)
	}
}

// event is a change that this device makes on top of base.
func (d *modelDevice) event(e *entry.Entry, base version.Version) {
	d.count++
	out := *e
	out.Unknown = false
	out.Version = base.Next(d.replica, d.count, version.Clock(max(0, d.now+d.skew)))
	d.put(&out)
}

func (d *modelDevice) base(p entry.Path) version.Version {
	if e := d.entries[p]; e != nil {
		return e.Version
	}
	return version.Version{}
}

func (d *modelDevice) living(p entry.Path) []entry.Path {
	var out []entry.Path
	for k := range d.tree {
		if k.Below(p) {
			out = append(out, k)
		}
	}
	return out
}

func (d *modelDevice) scan(p entry.Path) {
	if d.unknown[p] {
		return
	}
	f, there := d.tree[p]
	e := d.entries[p]
	switch {
	case !there && e != nil && e.Lives():
		gone := &entry.Entry{Path: p, Kind: entry.Deleted}
		if HoldsContent(e) {
			gone.Gone = e.Digest()
		}
		d.event(gone, e.Version)
	case there && (e == nil || !e.Lives() || modelText(e) != f):
		d.event(modelEntry(p, f), d.base(p))
	}
}

func (d *modelDevice) scanAll() {
	all := map[entry.Path]bool{}
	for p := range d.entries {
		all[p] = true
	}
	for p := range d.tree {
		all[p] = true
	}
	sorted := slices.SortedFunc(maps.Keys(all), entry.Path.Compare)
	for _, p := range slices.Backward(sorted) {
		if _, there := d.tree[p]; !there {
			d.scan(p)
		}
	}
	for _, p := range sorted {
		if _, there := d.tree[p]; there {
			d.scan(p)
		}
	}
}

// read hears up to n changes of a peer.
func (d *modelDevice) read(p *modelDevice, n int) int {
	if d.lives[p.id] != p.life {
		d.lives[p.id] = p.life
		for path := range d.wanted {
			d.setWanted(path, Withdraw(d.wanted[path], p.id))
		}
	}
	news := slices.SortedFunc(maps.Values(p.entries), func(a, b *entry.Entry) int { return int(a.Sequence) - int(b.Sequence) })
	done := 0
	for _, e := range news {
		if e.Sequence <= d.heard[p.replica] || done == n {
			continue
		}
		done++
		d.heard[p.replica] = e.Sequence
		if l := d.entries[e.Path]; l != nil && e.Version.Vector.Within(l.Version.Vector) {
			if l.Version.Compare(e.Version) == version.Equal && !l.SamePayload(e) {
				d.fault = fmt.Errorf("equal vectors, different payloads at %q", e.Path)
			}
			d.setWanted(e.Path, Withdraw(d.wanted[e.Path], p.id))
			continue
		}
		r := *e
		d.setWanted(e.Path, Remember(d.wanted[e.Path], &r, p.id, e.Sequence))
	}
	return done
}

func (d *modelDevice) setWanted(p entry.Path, w []Want) {
	if len(w) == 0 {
		delete(d.wanted, p)
		return
	}
	d.wanted[p] = w
}

// inOrder is the order of the real thing: what comes from above, then what
// goes from below; a directory that becomes a file goes.
func (d *modelDevice) inOrder() []entry.Path {
	goes := func(p entry.Path) bool {
		top, _ := Best(d.wanted[p], func(Want) bool { return true })
		return !top.Entry.Lives() || top.Entry.Kind != entry.Directory && d.tree[p] == modelFile{} && d.local(p) != nil
	}
	return slices.SortedFunc(maps.Keys(d.wanted), func(a, b entry.Path) int {
		switch ga, gb := goes(a), goes(b); {
		case ga && gb:
			return b.Compare(a)
		case ga:
			return 1
		case gb:
			return -1
		}
		return a.Compare(b)
	})
}

// apply applies the best version of p that can be had now.
func (d *modelDevice) apply(p entry.Path, connected []*modelDevice) bool {
	d.scan(p)
	texts := map[string]bool{}
	for _, f := range d.tree {
		texts[f.text] = true
	}
	for _, o := range connected {
		for q, f := range o.tree {
			if e := o.entries[q]; e != nil && e.Lives() && modelText(e) == f {
				texts[f.text] = true
			}
		}
	}
	w := slices.DeleteFunc(d.wanted[p], func(w Want) bool {
		e := d.entries[p]
		return e != nil && w.Entry.Version.Vector.Within(e.Version.Vector)
	})
	d.setWanted(p, w)
	top, ok := Best(w, func(w Want) bool { return w.Entry.Kind != entry.File || texts[modelText(w.Entry).text] })
	if !ok {
		return false
	}
	if up := d.local(p.Parent()); up != nil && HoldsContent(up) && top.Entry.Lives() {
		return false // who holds the directory will say that it stays
	}
	d.setWanted(p, slices.DeleteFunc(w, func(o Want) bool { return o.Entry == top.Entry }))
	for _, k := range d.living(p) {
		d.scan(k)
	}
	d.carryOut(p, top.Entry, Decide(d.local(p), top.Entry, len(d.living(p)) > 0))
	return true
}

func (d *modelDevice) carryOut(p entry.Path, r *entry.Entry, c Decision) {
	if c.Keep != nil {
		d.keepCopy(c.Keep)
	}
	l := d.local(p)
	switch c.Action {
	case Forget:
	case Join:
		e := *l
		e.Version = c.Version
		d.put(&e)
	case Revive:
		d.event(l, c.Version)
	case Stay:
		d.event(&entry.Entry{Path: p, Kind: entry.Directory}, c.Version)
	case Adopt:
		if r.Lives() {
			d.needDirectory(p.Parent())
		}
		e := *r
		e.Version = c.Version
		d.put(&e)
	}
}

func (d *modelDevice) needDirectory(p entry.Path) {
	if p == "" {
		return
	}
	d.scan(p)
	l := d.local(p)
	if l != nil && l.Kind == entry.Directory && !l.Unknown {
		return
	}
	if l != nil && HoldsContent(l) {
		d.keepCopy(l)
	}
	d.needDirectory(p.Parent())
	d.event(&entry.Entry{Path: p, Kind: entry.Directory}, d.base(p))
}

func (d *modelDevice) keepCopy(e *entry.Entry) {
	name := entry.Path(fmt.Sprintf("%s~%d.%d", e.Path, e.Version.Author, e.Version.Clock))
	text := modelText(e)
	for d.tree[name] != (modelFile{}) || d.entries[name] != nil {
		if d.tree[name] == text {
			return
		}
		name += entry.Path("+" + text.text)
	}
	d.needDirectory(name.Parent())
	d.event(modelEntry(name, text), d.base(name))
}

func (d *modelDevice) settleUnknown(peers []*modelDevice) {
	if len(d.unknown) == 0 || len(d.wanted) > 0 {
		return
	}
	for _, p := range peers {
		if d.heard[p.replica] >= p.next && len(p.unknown) == 0 {
			for _, q := range slices.SortedFunc(maps.Keys(d.unknown), entry.Path.Compare) {
				delete(d.unknown, q)
				d.scan(q)
			}
			return
		}
	}
}

// modelWorld runs one history.
type modelWorld struct {
	rng     *rand.Rand
	devices []*modelDevice
	losses  bool
	texts   int
	known   map[string]bool // texts that a user overwrote or deleted
}

func runHistory(seed uint64) error {
	rng := rand.New(rand.NewPCG(seed, 1))
	w := &modelWorld{rng: rng, losses: rng.Float64() < 0.3, known: map[string]bool{}}
	for i := range []int{2, 3, 3, 4}[rng.IntN(4)] {
		w.devices = append(w.devices, newModelDevice(i, []int64{-50, 0, 0, 3, 1000}[rng.IntN(5)]))
	}
	steps := []int{8, 15, 30, 80}[rng.IntN(4)]
	if rng.Float64() < 0.2 {
		return w.runCalm(steps)
	}
	for range steps {
		w.step()
	}
	return w.finish()
}

func (w *modelWorld) finish() error {
	if err := w.quiesce(w.devices); err != nil {
		return err
	}
	return w.check()
}

// runCalm makes one change at a time, with all in sync in between: the trees
// are then what the user made, with no copy and no revival.
func (w *modelWorld) runCalm(steps int) error {
	for range steps {
		d := w.devices[w.rng.IntN(len(w.devices))]
		for _, o := range w.devices {
			o.now += 5
		}
		if w.losses && w.rng.Float64() < 0.15 {
			d.newIndex()
		} else {
			w.user(d)
		}
		made := maps.Clone(d.tree)
		away := w.devices[w.rng.IntN(len(w.devices))]
		if w.rng.Float64() < 0.3 && away != d {
			some := slices.DeleteFunc(slices.Clone(w.devices), func(o *modelDevice) bool { return o == away })
			if err := w.quiesce(some); err != nil {
				return err
			}
		}
		if err := w.quiesce(w.devices); err != nil {
			return err
		}
		if !maps.Equal(d.tree, made) {
			return fmt.Errorf("not what the user of %s made: %v, but %v", d.name, made, d.tree)
		}
	}
	return w.check()
}

func (w *modelWorld) remove(d *modelDevice, p entry.Path) {
	for _, k := range d.living(p) {
		w.remove(d, k)
	}
	if f := d.tree[p]; f.text != "" {
		w.known[f.text] = true
	}
	delete(d.tree, p)
	delete(d.unknown, p)
}

func (w *modelWorld) user(d *modelDevice) {
	some := slices.SortedFunc(maps.Keys(d.tree), entry.Path.Compare)
	if len(some) > 0 && w.rng.Float64() < 0.3 {
		w.remove(d, some[w.rng.IntN(len(some))])
		return
	}
	choice := append(slices.Clone(modelPaths), some...)
	p := choice[w.rng.IntN(len(choice))]
	if up := p.Parent(); up != "" {
		if f, there := d.tree[up]; !there || f.text != "" {
			w.remove(d, up)
			d.tree[up] = modelFile{}
		}
	}
	w.remove(d, p)
	w.texts++
	d.tree[p] = modelFile{fmt.Sprintf("t%d", w.texts)}
}

func (w *modelWorld) step() {
	for _, d := range w.devices {
		d.now += []int64{0, 1, 5}[w.rng.IntN(3)]
	}
	d := w.devices[w.rng.IntN(len(w.devices))]
	var peers []*modelDevice
	for _, o := range w.devices {
		if o != d && w.rng.Float64() < 0.6 {
			peers = append(peers, o)
		}
	}
	switch x := w.rng.Float64(); {
	case x < 0.25:
		w.user(d)
	case x < 0.40:
		d.scanAll()
	case x < 0.65 && len(peers) > 0:
		d.read(peers[w.rng.IntN(len(peers))], []int{1, 1, 2, 5}[w.rng.IntN(4)])
	case x < 0.97 && len(d.wanted) > 0:
		all := slices.SortedFunc(maps.Keys(d.wanted), entry.Path.Compare)
		d.apply(all[w.rng.IntN(len(all))], peers)
	case x > 0.985 && w.losses:
		d.newIndex()
	}
	d.settleUnknown(peers)
}

func (w *modelWorld) quiesce(among []*modelDevice) error {
	if !slices.ContainsFunc(among, func(d *modelDevice) bool { return len(d.unknown) == 0 }) {
		among[0].unknown = map[entry.Path]bool{} // nobody knows anything: someone has to begin
	}
	for range 600 {
		busy := 0
		for _, d := range among {
			before := d.next
			d.scanAll()
			busy += int(d.next - before)
			peers := slices.DeleteFunc(slices.Clone(among), func(o *modelDevice) bool { return o == d })
			for _, p := range peers {
				busy += d.read(p, 3)
			}
			for _, p := range d.inOrder() {
				if d.apply(p, peers) {
					busy++
				}
			}
			unknown := len(d.unknown)
			d.settleUnknown(peers)
			busy += unknown - len(d.unknown)
			if d.fault != nil {
				return d.fault
			}
		}
		if busy == 0 {
			return nil
		}
	}
	return fmt.Errorf("never quiet")
}

func (w *modelWorld) check() error {
	first := w.devices[0]
	for _, d := range w.devices {
		if len(d.wanted) > 0 {
			return fmt.Errorf("%s still wants %d paths", d.name, len(d.wanted))
		}
		if !maps.Equal(d.tree, first.tree) {
			return fmt.Errorf("diverged: %s has %v, %s has %v", first.name, first.tree, d.name, d.tree)
		}
		have := map[string]bool{}
		for p, f := range d.tree {
			have[f.text] = true
			if up, there := d.tree[p.Parent()]; p.Parent() != "" && (!there || up.text != "") {
				return fmt.Errorf("%s: %q has no directory", d.name, p)
			}
		}
		for i := range w.texts {
			if text := fmt.Sprintf("t%d", i+1); !w.known[text] && !have[text] {
				return fmt.Errorf("%s lost %s", d.name, text)
			}
		}
	}
	return nil
}
