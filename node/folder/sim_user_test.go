package folder

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"strings"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/tree"
	"github.com/kithmesh/kith/node/tree/treetest"
)

// simUsers are the people at the devices, and what they have written. Each
// content has a mark of its own, by which it is told in the end what became of
// it.
type simUsers struct {
	w       *simWorld
	written int
	// owed are the marks of contents that must be in the folder in the end,
	// unless somebody has taken them out with their own hands.
	owed map[string]bool
	// bodies are all contents that files may have.
	bodies map[string]bool
	// out are the marks of what was taken out before a loss of power.
	out map[string]bool
	// past are the marks of contents that were gone when all were at rest.
	past map[string]bool
	// editing is what is held open for writing, by device.
	editing map[*simDevice]*simEditing
}

type simEditing struct {
	*treetest.Writer
	marks []string
}

func (u *simUsers) begin(w *simWorld) {
	*u = simUsers{w: w, owed: map[string]bool{}, bodies: map[string]bool{}, past: map[string]bool{}, out: map[string]bool{}, editing: map[*simDevice]*simEditing{}}
}

// simMark stands for one content.
var simMark = regexp.MustCompile(`<c\d{5}>`)

func (u *simUsers) mark() string {
	u.written++
	return fmt.Sprintf("<c%05d>", u.written)
}

// content is new, and nobody else's. Most are of one size.
func (u *simUsers) content(rng *rand.Rand) string {
	text := u.mark()
	switch rng.IntN(24) {
	case 0:
		text += strings.Repeat("0123456789abcdef", 1+rng.IntN(16_000))
	case 1, 2, 3:
		text += strings.Repeat("more", rng.IntN(30))
	}
	u.bodies[text] = true
	return text
}

// owe says that a content must not be lost from now on.
func (u *simUsers) owe(text string) {
	for _, m := range simMark.FindAllString(text, -1) {
		u.owed[m] = true
	}
}

var simPlaces = []entry.Path{"a", "b", "d", "d/x", "d/y", "d/e", "d/e/z", "a/x", "b/y"}

// place is where a person acts: one of a few places, or one of what they see.
func (u *simUsers) place(d *simDevice, rng *rand.Rand) entry.Path {
	if rng.IntN(2) == 0 {
		return simPlaces[rng.IntN(len(simPlaces))]
	}
	items := d.disk.Items()
	if len(items) == 0 {
		return "a"
	}
	return items[rng.IntN(len(items))].Path
}

// act does something to the tree of a device, as a person does. What it is
// follows from rng.
func (u *simUsers) act(d *simDevice, kind simAct, rng *rand.Rand) {
	p, q := u.place(d, rng), u.place(d, rng)
	disk := d.disk
	var err error
	told := ""
	switch kind {
	case actWrite:
		c := u.content(rng)
		told = c[:8]
		u.parents(d, p)
		if err = disk.Write(p, []byte(c), []uint32{0o644, 0o644, 0o600, 0o755}[rng.IntN(4)]); err == nil {
			u.owe(c)
		}
	case actLink:
		c := u.mark()
		told = c
		u.parents(d, p)
		if err = disk.Symlink(p, c); err == nil {
			u.owe(c)
		}
	case actCopy:
		told = string(q)
		if body, ok := disk.Body(q); ok && p != q {
			u.parents(d, p)
			err = disk.Write(p, []byte(body), 0o644)
		}
	case actMkdir:
		u.parents(d, p)
		err = disk.Mkdir(p, 0o755)
	case actRemove:
		err = disk.Remove(p)
	case actRename:
		told = string(q)
		if st, ok := disk.Stat(p); ok && st.Kind != 0 && p != q && !p.Below(q) && !q.Below(p) {
			u.parents(d, q)
			err = disk.Rename(p, q)
		}
	case actSwap:
		told = string(q)
		err = disk.Swap(p, q)
	case actChmod:
		if st, ok := disk.Stat(p); ok && st.Kind == entry.File {
			err = disk.SetMeta(p, tree.Meta{Mode: []uint32{0o644, 0o600, 0o755}[rng.IntN(3)], ModTime: st.ModTime})
		}
	case actTouch:
		if st, ok := disk.Stat(p); ok && st.Kind == entry.File {
			err = disk.SetMeta(p, tree.Meta{Mode: st.Mode, ModTime: int64(1e18 + rng.IntN(4)*1e9)})
		}
	case actFifo:
		u.parents(d, p)
		err = disk.Fifo(p)
	case actEdit:
		told = u.edit(d, p, rng)
	case actRules:
	}
	u.w.note(d.name, "user: %v %q %s (%v)", kind, p, told, err)
}

// parents makes the directories that lead to p; what is in their way goes.
func (u *simUsers) parents(d *simDevice, p entry.Path) {
	up := p.Parent()
	if up == "" {
		return
	}
	u.parents(d, up)
	if st, ok := d.disk.Stat(up); ok && st.Kind != entry.Directory {
		_ = d.disk.Remove(up)
	}
	_ = d.disk.Mkdir(up, 0o755)
}

// edit writes to a file in place: some now, the rest later.
func (u *simUsers) edit(d *simDevice, p entry.Path, rng *rand.Rand) string {
	if u.editing[d] != nil {
		u.closeEdit(d)
		return "closed"
	}
	w, err := d.disk.Edit(p)
	if err != nil {
		return "none"
	}
	was := w.Body()
	c := u.content(rng)
	if rng.IntN(2) == 0 {
		u.note(was + c) // appended
		w.Write([]byte(was + c))
	} else if rng.IntN(2) == 0 {
		u.note(c)
		w.Write([]byte(c))
	} else {
		u.note(c)
		u.note(c[:len(c)/2])
		u.note("")
		w.Write(nil)
		w.Write([]byte(c[:len(c)/2]))
		w.Write([]byte(c))
	}
	u.editing[d] = &simEditing{w, []string{c}}
	held := u.editing[d]
	u.w.after([]time.Duration{0, time.Millisecond, 100 * time.Millisecond, 2 * time.Second, 20 * time.Second}[rng.IntN(5)], "close", func() {
		if u.editing[d] == held {
			u.closeEdit(d)
		}
	})
	return c[:8]
}

func (u *simUsers) note(body string) { u.bodies[body] = true }

// closeEdit ends an edit. If the file lies in the folder, its content counts.
func (u *simUsers) closeEdit(d *simDevice) {
	e := u.editing[d]
	if e == nil {
		return
	}
	delete(u.editing, d)
	p, ok := e.Close()
	u.w.note(d.name, "user: closes %q, in the folder: %v", p, ok)
	if ok {
		for _, c := range e.marks {
			u.owe(c)
		}
	}
}

// placed checks that nothing comes to a path that nobody wrote.
func (u *simUsers) placed(d *simDevice, p entry.Path, body []byte) {
	if !u.bodies[string(body)] {
		u.w.fail("foreign bytes", "%s: %q holds what nobody wrote: %.60q, %d bytes", d.name, p, body, len(body))
	}
}

// losePower takes what was not synced from a disk. What was on that disk alone
// is owed no more: a person's own program has to sync it.
func (u *simUsers) losePower(d *simDevice) {
	delete(u.editing, d)
	before := u.marksOn(d)
	maps.Copy(u.out, u.taken())
	for _, body := range d.disk.LosePower() {
		u.bodies[body] = true
	}
	after := u.marksOn(d)
	for m := range before {
		if after[m] {
			continue
		}
		elsewhere := false
		for _, o := range u.w.devices {
			elsewhere = elsewhere || o != d && u.marksOn(o)[m]
		}
		if !elsewhere || u.w.plan.lenient {
			delete(u.owed, m)
			u.w.note(d.name, "%s is lost with the power", m)
		}
	}
}

func (u *simUsers) marksOn(d *simDevice) map[string]bool {
	return simMarks(append(d.disk.Items(), d.disk.Aside()...))
}

// taken are the marks of all that people have taken out of their folders.
func (u *simUsers) taken() map[string]bool {
	var all []treetest.Item
	for _, d := range u.w.devices {
		all = append(all, d.disk.Trash()...)
	}
	out := simMarks(all)
	maps.Copy(out, u.out)
	return out
}

// simMarks are the marks of all contents of some items.
func simMarks(items []treetest.Item) map[string]bool {
	out := map[string]bool{}
	for _, it := range items {
		for _, m := range simMark.FindAllString(it.Body+it.Stat.Target, -1) {
			out[m] = true
		}
	}
	return out
}

// simAct is a kind of thing that a person does.
type simAct int

const (
	actWrite simAct = iota
	actLink
	actCopy
	actMkdir
	actRemove
	actRename
	actSwap
	actChmod
	actTouch
	actFifo
	actEdit
	actRules
)

func (k simAct) String() string {
	return [...]string{"write", "symlink", "copy", "mkdir", "remove", "rename", "swap", "chmod", "touch", "fifo", "edit", "rules"}[k]
}

// simActs says how often each is done.
var simActs = []simAct{
	actWrite, actWrite, actWrite, actWrite, actWrite, actWrite, actWrite, actWrite, actLink, actCopy, actMkdir, actMkdir,
	actRemove, actRemove, actRemove, actRename, actRename, actRename, actSwap, actChmod, actTouch, actEdit, actEdit,
}
