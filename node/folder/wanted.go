package folder

import (
	"errors"
	"io/fs"
	"slices"
	"time"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/folder/look"
	"github.com/kithmesh/kith/node/folder/merge"
)

// toWants reads what the index holds of a path.
func toWants(in []index.Want) []merge.Want {
	out := make([]merge.Want, len(in))
	for i := range in {
		out[i] = merge.Want{Entry: &in[i].Entry, Tellers: in[i].Tellers, Released: in[i].Released}
	}
	return out
}

func fromWants(in []merge.Want) []index.Want {
	out := make([]index.Want, len(in))
	for i := range in {
		out[i] = index.Want{Entry: *in[i].Entry, Tellers: in[i].Tellers, Released: in[i].Released}
	}
	return out
}

// changeWanted changes what is wanted of one path.
func (a *actor) changeWanted(x *index.Folder, p entry.Path, change func([]merge.Want) []merge.Want) error {
	before, err := x.Wanted(p)
	if err != nil {
		return err
	}
	a.countNeeded(before, -1)
	after := fromWants(change(toWants(before)))
	a.countNeeded(after, 1)
	if len(before) == 0 && len(after) == 0 {
		return nil
	}
	if err := a.countDoomed(x, p, toWants(after)); err != nil {
		return err
	}
	if t, ok := a.stuck[p]; ok && len(after) == 0 && t.look == 0 {
		a.stuck.clear(p) // what stood in its way does so no more
	}
	return x.SetWanted(p, after)
}

// countNeeded keeps count of the content that is wanted somewhere, so that a
// delete can wait until that has been taken from the file that is to go.
func (a *actor) countNeeded(wants []index.Want, n int) {
	for i := range wants {
		if e := &wants[i].Entry; e.Kind == entry.File && len(e.Blocks) > 0 {
			d := e.Digest()
			if a.needed[d] += n; a.needed[d] <= 0 {
				delete(a.needed, d)
			}
		}
	}
}

// stuck holds what is wrong with single paths, and when to try again.
type stuck map[entry.Path]trouble

type trouble struct {
	Problem
	due   time.Time
	tries int
	look  int // the number of the look that could not read it, if one did
}

// Codes of problems that the code itself goes by.
const (
	codeDiskFull     = "disk_full"
	codeSpecial      = "special_file"  // of what lies on disk
	codeCannotRecord = "cannot_record" // of what lies on disk
)

const (
	firstTrouble = time.Second
	lastTrouble  = 5 * time.Minute
	lastFull     = 10 * time.Second
	// maxTroubles bounds what is remembered of paths in trouble; beyond, all
	// others wait together.
	maxTroubles = 10_000
	everything  = entry.Path("")
)

// add notes a problem; the path is tried again later and later.
func (s stuck) add(now time.Time, p entry.Path, why Problem) {
	t, ok := s[p]
	if !ok && len(s) >= maxTroubles {
		p, why = everything, Problem{Code: "many_problems", Text: "there are more problems than can be shown", Hint: "Solve some of them."}
		t = s[p]
	}
	t.Problem, t.tries = why, t.tries+1
	last := lastTrouble
	if why.Code == codeDiskFull {
		last = lastFull // room is made without a word to us
	}
	t.due = now.Add(min(firstTrouble<<min(t.tries-1, 16), last))
	s[p] = t
}

// blocks tells whether a path is to be left alone for now.
func (s stuck) blocks(p entry.Path, now time.Time) bool {
	t, ok := s[p]
	if !ok {
		t, ok = s[everything]
	}
	return ok && t.due.After(now)
}

func (s stuck) clear(p entry.Path) { delete(s, p) }

// readable forgets the paths that a look, the one of that number, has found to
// be readable again: of its targets, or of all if they are nil.
func (s stuck) readable(number int, targets []look.Target) {
	for p, t := range s {
		asked := targets == nil || slices.ContainsFunc(targets, func(o look.Target) bool { return o.Path == p })
		if asked && t.look > 0 && t.look < number {
			delete(s, p)
		}
	}
}

// nothingWanted forgets the problems of applying: there is nothing to apply.
func (s stuck) nothingWanted() {
	for p, t := range s {
		if t.look == 0 && t.Code != codeSpecial && t.Code != codeCannotRecord {
			delete(s, p)
		}
	}
}

// specialsGone forgets the special files that are gone. The index does not know
// them, so that no look finds them missing.
func (a *actor) specialsGone() {
	for p, t := range a.stuck {
		if t.Code != codeSpecial || a.disk == nil {
			continue
		}
		if st, err := a.disk.tree.Lstat(p); errors.Is(err, fs.ErrNotExist) || err == nil && st.Kind != 0 {
			delete(a.stuck, p)
		}
	}
}

// retry makes a path be tried at the next occasion: something has happened.
func (s stuck) retry(p entry.Path) {
	if t, ok := s[p]; ok {
		t.due = time.Time{}
		s[p] = t
	}
}

// retryAll makes all of them be tried at the next occasion.
func (s stuck) retryAll() {
	for p := range s {
		s.retry(p)
	}
}

// due is when the next path is to be tried again; zero for never.
func (s stuck) due() time.Time {
	var due time.Time
	for _, t := range s {
		if !t.due.IsZero() && (due.IsZero() || t.due.Before(due)) {
			due = t.due
		}
	}
	return due
}
