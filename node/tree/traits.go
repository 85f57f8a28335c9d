package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/tree/names"
)

// traits are found out once.
type traits struct {
	mu    sync.Mutex
	known bool
	are   names.Traits
}

// Traits says what the folder's file system makes of names. The first call
// finds out, with some twenty empty files among the temporaries, which takes
// less than a millisecond on a local disk. None of them is left, and a crash
// leaves only what [Tree.CleanTemporaries] removes, which must not run at the
// same time. An error says that the file system takes no files at the moment;
// the next call tries again.
//
// kith's own directory stands for the whole folder. Elsewhere in it other
// rules may hold, in a mount or in a directory with rules of its own (ext4
// with casefold, NTFS with case sensitivity, each by directory), and any file
// system has exceptions that no sample shows. So this tells beforehand, and
// [Tree.Place], [Tree.Mkdir] and [Tree.Move] in the end: a name that is taken
// under another spelling is [ErrExists] to them, one that cannot be is an
// error.
func (t *Tree) Traits() (names.Traits, error) {
	t.traits.mu.Lock()
	defer t.traits.mu.Unlock()
	if !t.traits.known {
		found, err := t.probe()
		if err != nil {
			return names.Traits{}, fmt.Errorf("find out what names folder %q can hold: %w", t.path, err)
		}
		t.traits.known, t.traits.are = true, found
	}
	return t.traits.are, nil
}

// What is tried, each in a name of its own.
var (
	// probeForbids: all printable characters that are forbidden anywhere, but
	// for the slash; and some of the control characters, which stand for all.
	probeForbids  = []string{`"`, `*`, `:`, `<`, `>`, `?`, `\`, `|`}
	probeControls = []string{"\x01", "\t", "\n", "\x1f"}
	probeEnds     = []string{".", " "}
)

// controls are the control characters but NUL, which no name can hold.
const controls = "\x01\x02\x03\x04\x05\x06\a\b\t\n\v\f\r\x0e\x0f" +
	"\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f"

// shelf is a directory where names are tried: the temporaries.
type shelf interface {
	make(name string) error // an empty file, if name is free
	finds(name string) bool // something, under whatever name it is listed
	names() ([]string, error)
	remove(name string) error
}

// prober tries names. Each of them holds the tag.
type prober struct {
	shelf
	tag  string
	made []string // as the file system spells them
}

func (t *Tree) probe() (names.Traits, error) {
	d, err := t.inOwn(tmpDir)
	if err != nil {
		return names.Traits{}, err
	}
	defer d.close()
	return probe(temporaries{t, d}, runtime.GOOS == "windows")
}

func probe(where shelf, windows bool) (found names.Traits, err error) {
	p := &prober{shelf: where, tag: "probe-" + fresh()} // no staged file has a dash
	defer func() { err = errors.Join(err, p.clean()) }()
	if err := p.try(p.samples()); err != nil {
		return names.Traits{}, err
	}
	found = p.traits(windows)
	if !p.holds(p.long(entry.MaxName)) {
		found.MaxName, err = p.longest()
	}
	return found, err
}

// samples are the names that are tried. None of them is another in another
// spelling.
func (p *prober) samples() []string {
	all := []string{p.long(entry.MaxName), p.device(), p.name("\xff"), p.name("Case"), p.name("\u00e9"), p.name("\u00e6"), p.name("\u00df"), p.name("\U00010428")}
	for _, c := range slices.Concat(probeForbids, probeControls) {
		all = append(all, p.within(c))
	}
	for _, c := range probeEnds {
		all = append(all, p.name("end"+c))
	}
	return all
}

func (p *prober) name(suffix string) string { return p.tag + "-" + suffix }
func (p *prober) within(c string) string    { return p.name("x" + c + "x") }
func (p *prober) long(n int) string         { return p.tag + strings.Repeat("n", n-len(p.tag)) }
func (p *prober) device() string            { return "aux." + p.tag }

// traits judges by what has become of the samples.
func (p *prober) traits(windows bool) names.Traits {
	found := names.Traits{WellFormed: !p.holds(p.name("\xff"))}
	for _, c := range probeForbids {
		if !p.holds(p.within(c)) {
			found.Forbids += c
		}
	}
	if slices.ContainsFunc(probeControls, func(c string) bool { return !p.holds(p.within(c)) }) {
		found.Forbids += controls
	}
	for _, c := range probeEnds {
		if !p.holds(p.name("end" + c)) {
			found.Ends += c
		}
	}
	if windows || !p.holds(p.device()) &&
		len(found.Forbids) == len(probeForbids)+len(controls) && len(found.Ends) == len(probeEnds) {
		found = names.Traits{Windows: true} // the same and more
	}
	p.letters(&found)
	return found
}

// letters finds out which there are, and which are one.
func (p *prober) letters(found *names.Traits) {
	found.FoldsCase = p.finds(p.name("cASE"))
	found.Lowers = !p.holds(p.name("Case")) && p.holds(p.name("case"))
	if !p.finds(p.name("\u00e9")) {
		found.MaxRune = 0x7F
		return
	}
	found.Decomposes = !p.holds(p.name("\u00e9")) && p.holds(p.name("e\u0301"))
	found.FoldsForm = p.finds(p.name("e\u0301"))
	found.Ignores = p.finds(p.name("\u00e9\u200d"))
	found.Expands = found.FoldsCase && p.finds(p.name("ss"))
	if found.FoldsCase && !p.finds(p.name("\u00c6")) {
		found.LastCased = 0x7F
	} else if found.FoldsCase && !p.finds(p.name("\U00010400")) {
		found.LastCased = 0xFFFF
	}
	if !p.holds(p.name("\U00010428")) {
		found.MaxRune = 0xFFFF
	}
}

// longest is how many bytes a name can have.
func (p *prober) longest() (int, error) {
	holds, not := len(p.tag), entry.MaxName
	for not-holds > 1 {
		n := (holds + not) / 2
		if err := p.try([]string{p.long(n)}); err != nil {
			return 0, err
		}
		if p.holds(p.long(n)) {
			holds = n
		} else {
			not = n
		}
	}
	return holds, nil
}

// try makes files of these names where it can. An error is not about a name.
func (p *prober) try(samples []string) error {
	if err := p.works(); err != nil {
		return err
	}
	for _, name := range samples {
		if p.make(name) != nil {
			if err := p.works(); err != nil { // else the name is to blame
				return err
			}
		}
	}
	var err error
	if p.made, err = p.list(); err == nil && !p.holds(p.tag) {
		err = errors.New("temporaries are being removed")
	}
	return err
}

// works makes a file of a harmless name.
func (p *prober) works() error {
	if err := p.remove(p.tag); err != nil {
		return err
	}
	return p.make(p.tag)
}

// holds tells whether a file has this very name.
func (p *prober) holds(name string) bool { return slices.Contains(p.made, name) }

func (p *prober) list() ([]string, error) {
	all, err := p.names()
	return slices.DeleteFunc(all, func(name string) bool { return !strings.Contains(name, p.tag) }), err
}

func (p *prober) clean() error {
	made, err := p.list()
	for _, name := range made {
		err = errors.Join(err, p.remove(name))
	}
	return err
}

// temporaries is the shelf on disk.
type temporaries struct {
	tree *Tree
	dir  dir
}

func (s temporaries) make(name string) error {
	f, err := s.dir.open(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

func (s temporaries) finds(name string) bool {
	_, err := s.dir.lstat(name)
	return err == nil
}

func (s temporaries) names() ([]string, error) {
	d, err := s.tree.root.descendToRead(tmpDir)
	if err != nil {
		return nil, err
	}
	defer d.close()
	return d.names()
}

func (s temporaries) remove(name string) error {
	if err := s.dir.unlink(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
