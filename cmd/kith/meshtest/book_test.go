//go:build linux

package meshtest

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"math/rand/v2"
	"path"
	"regexp"
	"strings"
	"sync"
)

// sum names a content: of a file, or, by linkSum, of a symlink.
type sum [sha256.Size]byte

func linkSum(target string) sum { return sha256.Sum256([]byte("a symlink to " + target)) }

// debt is what kith owes for one content that a user put at one path: it must
// be found there, or in a conflict copy, until a user who sees it there
// replaces or removes it.
type debt struct {
	path  string
	by    string // device
	step  int
	paid  string // why nothing is owed any more; "" while it is
	epoch int
}

// unmade is why nothing is owed for what did not come to pass.
const unmade = "did not happen"

// book knows every content that was ever written, and what is owed. It keeps
// no bytes, only their sums: some hundred bytes for each operation.
//
// No content is ever made twice. So who sees one at a path has seen that it was
// put there, and all that was superseded for it: what was seen by whom is known
// from the trees alone. This is exact as long as no content comes to a path at
// which it has been before; a strict book sees to that. Otherwise somebody may
// have taken it away and put it back unseen; see [book.excused].
type book struct {
	strict bool

	mu      sync.Mutex
	rng     *rand.Rand
	run     uint64
	n       int
	labels  map[sum]string
	debts   map[sum][]*debt
	left    map[spot]map[string]departure // by device
	writing map[uint64]int                // inode -> writers
	written map[uint64]int                // inode -> how often one has begun or ended
	epoch   int
	touched map[string]map[string]bool // path -> devices, since all last agreed
	dropped map[spot]bool              // superseded just there, since all last agreed
}

// spot is a content at a path.
type spot struct {
	sum  sum
	path string
}

// departure is that a device's user has superseded a content at a path.
type departure struct {
	epoch   int
	deleted bool // and not replaced
}

func newBook(seed uint64) *book {
	return &book{
		rng: rand.New(rand.NewPCG(seed, 5)), run: seed,
		labels: map[sum]string{}, debts: map[sum][]*debt{}, left: map[spot]map[string]departure{},
		writing: map[uint64]int{}, written: map[uint64]int{}, touched: map[string]map[string]bool{}, dropped: map[spot]bool{},
	}
}

// content makes a content that nobody has seen, of at least 24 bytes.
func (b *book) content(size int) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.n++
	body := fmt.Appendf(nil, "c%d of %d:", b.n, b.run)
	for len(body) < size {
		body = fmt.Appendf(body, "%016x", b.rng.Uint64())
	}
	return body[:max(size, 24)]
}

// target makes a link target that nobody has seen, and that leads nowhere.
func (b *book) target() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.n++
	return fmt.Sprintf("nowhere/c%d", b.n)
}

// note makes a content known.
func (b *book) note(body []byte) sum {
	s := sha256.Sum256(body)
	b.mu.Lock()
	defer b.mu.Unlock()
	label, _, _ := strings.Cut(string(body[:min(len(body), 24)]), " ")
	b.labels[s] = fmt.Sprintf("%s(%d)", label, len(body))
	return s
}

func (b *book) noteLink(target string) sum {
	s := linkSum(target)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.labels[s] = "link:" + path.Base(target)
	return s
}

func (b *book) label(s sum) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l, ok := b.labels[s]; ok {
		return l
	}
	return fmt.Sprintf("unknown %x", s[:4])
}

// history is what is known of a content.
func (b *book) history(s sum) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []string
	for _, d := range b.debts[s] {
		out = append(out, fmt.Sprintf("put at %q by %s in step %d, %s", d.path, d.by, d.step, cmp.Or(d.paid, "owed")))
	}
	return strings.Join(out, "; ")
}

// put notes that a user puts a content at a path; it must be called before
// anybody can see it there.
func (b *book) put(u *user, p string, s sum) {
	b.touch(u.d.name, p)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.debts[s] = append(b.debts[s], &debt{path: p, by: u.d.name, step: u.step, epoch: b.epoch})
	delete(b.dropped, spot{s, p})
}

// mayCome tells whether a content may be brought to a path.
func (b *book) mayCome(s sum, p string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, d := range b.debts[s] {
		if b.strict && d.path == p && d.paid != unmade {
			return false
		}
	}
	return true
}

// unput takes back the last put, which did not come to pass.
func (b *book) unput(p string, s sum) {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.debts[s]
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].path == p {
			all[i].paid = unmade
			return
		}
	}
}

// drop notes that a user who saw a content at a path replaced or removed it.
func (b *book) drop(u *user, p string, s sum) {
	b.touch(u.d.name, p)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, d := range b.debts[s] {
		if d.paid == "" && (d.path == p || d.step < u.step && sameBase(p, d.path)) {
			d.paid = fmt.Sprintf("superseded by %s in step %d", u.d.name, u.step)
		}
	}
	at := spot{s, p}
	b.dropped[at] = true
	if b.left[at] == nil {
		b.left[at] = map[string]departure{}
	}
	b.left[at][u.d.name] = departure{epoch: b.epoch}
}

// erase notes that a user who saw a content at a path deleted it there.
func (b *book) erase(u *user, p string, s sum) {
	b.drop(u, p, s)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left[spot{s, p}][u.d.name] = departure{epoch: b.epoch, deleted: true}
}

// excused tells whether the user of another device, since all last agreed, has
// deleted just this content at the path: a delete takes with it what is its
// very content, also if somebody puts that there unseen. Or has replaced it,
// while this device's user took it away and put it back: between two looks of
// kith that is as if nothing had happened.
func (b *book) excused(s sum, d *debt) bool {
	if b.strict {
		return false
	}
	left := b.left[spot{s, d.path}]
	own, back := left[d.by]
	back = back && own.epoch >= d.epoch
	for device, o := range left {
		if device != d.by && o.epoch >= d.epoch && (o.deleted || back) {
			return true
		}
	}
	return false
}

// expected tells whether some user put the content at the path, or at one that
// it can be a copy of.
func (b *book) expected(p string, s sum) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, d := range b.debts[s] {
		if d.path == p || isCopyOf(p, d.path) {
			return true
		}
	}
	return false
}

// touch notes that a device's user did something at a path.
func (b *book) touch(device, p string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.touched[p] == nil {
		b.touched[p] = map[string]bool{}
	}
	b.touched[p][device] = true
}

// contended tells whether two devices were busy at, above or below a path
// since all last agreed.
func (b *book) contended(p string) bool { return b.busyAt(p) > 1 }

// untouched tells whether nobody was.
func (b *book) untouched(p string) bool { return b.busyAt(p) == 0 }

// busyAt counts the devices that were busy at, above or below a path.
func (b *book) busyAt(p string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	who := map[string]bool{}
	for q, devices := range b.touched {
		if sameBase(p, q) || below(q, plain(p)) || below(p, q) {
			maps.Copy(who, devices)
		}
	}
	return len(who)
}

// agree begins a new epoch: all devices hold the same.
func (b *book) agree() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.epoch++
	b.touched = map[string]map[string]bool{}
	b.dropped = map[spot]bool{}
}

// begin and end say who writes to an inode in place.
func (b *book) begin(ino uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.writing[ino]++
	b.written[ino]++
}

func (b *book) end(ino uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.writing[ino]--
	b.written[ino]++
}

// writers tells whether somebody writes to an inode, and a number that changes
// when that begins or ends.
func (b *book) writers(ino uint64) (bool, int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.writing[ino] > 0, b.written[ino]
}

func below(p, dir string) bool { return strings.HasPrefix(p, dir+"/") }

var copyName = regexp.MustCompile(`(?s)^(.*) \((?:conflict, .{1,64}, \d{4}-\d\d-\d\d \d\d\.\d\d\.\d\d [a-z2-9]{4,26}|kept [0-9a-f]{12})\)(\.[^.]{0,15})?$`)

// plain is the path that a conflict copy is a copy of; any other path is
// itself.
func plain(p string) string {
	dir, name := path.Split(p)
	for {
		m := copyName.FindStringSubmatch(name)
		if m == nil {
			return dir + name
		}
		name = m[1] + m[2]
	}
}

func isCopy(p string) bool { return plain(p) != p }

// isConflict tells whether it is one that kith calls a conflict.
func isConflict(p string) bool { return isCopy(p) && strings.Contains(path.Base(p), " (conflict, ") }

// isCopyOf tells whether p can be a conflict copy of q, whose name may have
// been shortened for it.
func isCopyOf(p, q string) bool {
	if !isCopy(p) {
		return false
	}
	p, q = plain(p), plain(q)
	if p == q {
		return true
	}
	ext := path.Ext(p)
	return len(path.Base(q)) > 180 && path.Dir(p) == path.Dir(q) && len(strings.TrimSuffix(path.Base(p), ext)) > 100 &&
		strings.HasPrefix(path.Base(q), strings.TrimSuffix(path.Base(p), ext))
}

// sameBase tells whether two paths are the same but for being copies.
func sameBase(p, q string) bool { return plain(p) == plain(q) || isCopyOf(p, q) || isCopyOf(q, p) }
