//go:build linux

package meshtest

import (
	"crypto/sha256"
	"fmt"
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

// book knows every content that was ever written, and what is owed.
type book struct {
	mu      sync.Mutex
	rng     *rand.Rand
	run     uint64
	n       int
	labels  map[sum]string
	debts   map[sum][]*debt
	dropped map[string]map[string]int // sum and path -> device -> epoch in which its user superseded it there
	writing map[uint64]int            // inode -> writers
	written map[uint64]int            // inode -> how often one has begun or ended
	epoch   int
	touched map[string]map[string]bool // path -> devices, since all last agreed
}

func newBook(seed uint64) *book {
	return &book{
		rng: rand.New(rand.NewPCG(seed, 5)), run: seed,
		labels: map[sum]string{}, debts: map[sum][]*debt{}, dropped: map[string]map[string]int{},
		writing: map[uint64]int{}, written: map[uint64]int{}, touched: map[string]map[string]bool{},
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

// put notes that a user puts a content at a path; it must be called before
// anybody can see it there.
func (b *book) put(u *user, p string, s sum) {
	b.touch(u.d.name, p)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.debts[s] = append(b.debts[s], &debt{path: p, by: u.d.name, step: u.step, epoch: b.epoch})
}

// unput takes back the last put, which did not come to pass.
func (b *book) unput(p string, s sum) {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.debts[s]
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].path == p {
			all[i].paid = "did not happen"
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
	key := string(s[:]) + plain(p)
	if b.dropped[key] == nil {
		b.dropped[key] = map[string]int{}
	}
	b.dropped[key][u.d.name] = b.epoch
}

// excused tells whether the user of another device, since all last agreed, has
// superseded just this content at the path: whoever took it away and put it
// back meanwhile has, as far as can be seen, changed nothing.
func (b *book) excused(s sum, d *debt) bool {
	for device, epoch := range b.dropped[string(s[:])+plain(d.path)] {
		if device != d.by && epoch >= d.epoch {
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
func (b *book) contended(p string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	who := map[string]bool{}
	for q, devices := range b.touched {
		if sameBase(p, q) || below(q, plain(p)) || below(p, q) {
			for d := range devices {
				who[d] = true
			}
		}
	}
	return len(who) > 1
}

// agree begins a new epoch: all devices hold the same.
func (b *book) agree() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.epoch++
	b.touched = map[string]map[string]bool{}
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
