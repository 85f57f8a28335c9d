package ignore

import (
	"strings"

	"github.com/kithmesh/kith/index/entry"
)

// Set is all the rules that hold within one directory. A nil Set ignores
// nothing.
type Set struct {
	outer *Set // what holds in the directories above
	rules *Rules
	local *Rules // read last
}

// presets have the lowest precedence.
var presets = Parse("", "kith's presets", []byte(strings.Join(Presets(), "\n")))

// Presets are the built-in patterns, for what is surely junk: written by an
// operating system or an office program for itself, worthless to any other
// device, and made again when it is missing. What a person may have put there
// on purpose (desktop.ini, "._" files, swap and backup files of editors) is
// not among them. Any file of rules can take one back with "!".
func Presets() []string {
	return []string{
		// How a file browser last showed a directory.
		".DS_Store", "[Tt]humbs.db", "ehthumbs.db", "ehthumbs_vista.db",
		// Marks that a document is open somewhere; they die with the program.
		".~lock.*#", "~$*.doc", "~$*.doc[xm]", "~$*.xls", "~$*.xls[xmb]", "~$*.ppt", "~$*.ppt[xm]",
		// Deleted files that a program still has open.
		".nfs????????????????????????", ".fuse_hidden*",
		// What a system keeps at the root of a volume.
		"/.Spotlight-V100/", "/.fseventsd/", "/.TemporaryItems/", "/.DocumentRevisions-V100/",
		"/.Trashes/", "/.Trash-[0-9]*/", "/$RECYCLE.BIN/", "/System Volume Information/", "/lost+found/",
	}
}

// New is the set of a folder's root: the presets and the rules of this device
// alone, nil if there are none.
func New(local *Rules) *Set { return &Set{rules: presets, local: local} }

// With is the set that holds below a directory with rules of its own: those
// come after the rules of s, and before the ones of this device alone. Nil
// rules change nothing.
func (s *Set) With(r *Rules) *Set {
	if r == nil {
		return s
	}
	inner := &Set{outer: s, rules: r}
	if s != nil {
		inner.local = s.local
	}
	return inner
}

// Match tells whether p is ignored, and the rule that decided, if any did: one
// that takes back what an earlier one ignored is told too. It takes for
// granted that no directory above p is ignored, as a walk does that does not
// enter those, and that s holds in the directory of p; [Set.Find] asks both.
func (s *Set) Match(p entry.Path, isDir bool) (ignored bool, rule Rule) {
	if s == nil {
		return false, Rule{}
	}
	if found := s.local.match(p, isDir); found != nil {
		return !found.again, s.local.rule(found)
	}
	for ; s != nil; s = s.outer {
		if found := s.rules.match(p, isDir); found != nil {
			return !found.again, s.rules.rule(found)
		}
	}
	return false, Rule{}
}

// Find judges a path anywhere below the root, whose set s is. It asks load
// for the rules of each directory on the way, the root's own not included,
// and stops at the first that is ignored. Load may return nil.
func (s *Set) Find(p entry.Path, isDir bool, load func(dir entry.Path) *Rules) (ignored bool, rule Rule) {
	for i := range len(p) {
		if p[i] != '/' {
			continue
		}
		if ignored, rule = s.Match(p[:i], true); ignored {
			return true, rule
		}
		s = s.With(load(p[:i]))
	}
	return s.Match(p, isDir)
}

// match is last, for rules that may be nil and paths that may lie elsewhere.
func (r *Rules) match(p entry.Path, isDir bool) *pattern {
	if r == nil || !p.Below(r.dir) {
		return nil
	}
	return r.last(p, isDir)
}
