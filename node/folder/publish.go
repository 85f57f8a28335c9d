package folder

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/folder/merge"
)

// publish makes the status what is so now, and tells those who watch if it has
// changed.
func (a *actor) publish() {
	now := a.Clock()
	a.sendAcks(now)
	if len(a.inflight.large) > 0 && !now.Before(a.progressDue) {
		a.stale, a.progressDue = true, now.Add(progressEvery)
	}
	if !a.stale {
		return
	}
	a.stale = false
	var s Status
	err := a.view(func(x *index.Folder) error {
		s = statusOf(x)
		s.Members = a.memberStatuses(x)
		s.LocalEdits = x.LocalCount()
		if a.role == entry.RoleReceive && a.settled {
			s.LocalEdits += x.Totals().Unknown
		}
		return nil
	})
	if err != nil {
		return
	}
	s.NeedBytes = max(s.NeedBytes-a.inflight.here(), 0)
	if !takes(a.role) {
		s.Untaken, s.NeedFiles, s.NeedBytes = s.NeedFiles, 0, 0
	}
	if s.NeedFiles == 0 {
		a.stuck.nothingWanted()
	}
	s.Conflicts = int64(len(a.copies))
	if takes(a.role) {
		s.Held = int64(len(a.brake.batches))
	}
	s.Problems = a.problems()
	s.Quiet = a.quiet(s)
	if s.Quiet && a.littered {
		a.cleanUp(nil)
	}
	s.State = a.stateNow(s)
	a.status.Store(&s)
	if !sameStatus(s, a.published) {
		a.published = s
		a.announce()
	}
}

// progressEvery is how often the progress of large files is told.
const progressEvery = time.Second

// quiet tells whether nothing is left to do.
func (a *actor) quiet(s Status) bool {
	return a.disk != nil && !a.fenced && a.scanned && a.settled && !a.looking && a.dirty.empty() && a.going.empty() &&
		s.NeedFiles == 0 && a.inflight.batches == 0
}

func (a *actor) stateNow(s Status) State {
	switch {
	case a.fenced:
		return Fenced
	case a.disk == nil:
		return Failed
	case s.Held > 0 && a.inflight.batches == 0 && !a.pass.active && !a.pass.again && a.brake.due.IsZero():
		return Braked
	case !a.scanned || a.scans.all:
		return Scanning
	case s.NeedFiles > 0 && a.inflight.batches == 0 && !a.pass.active && !a.pass.again:
		return Waiting
	case s.NeedFiles > 0 || a.inflight.batches > 0:
		return Syncing
	case a.looking || !a.dirty.empty() || !a.going.empty():
		return Scanning
	case !a.settled:
		return Waiting
	}
	return InSync
}

// maxProblems bounds how many problems a status shows.
const maxProblems = 200

func (a *actor) problems() []Problem {
	var out []Problem
	switch {
	case a.fenced:
		out = append(out, Problem{
			Code: "fenced", Text: "this device's index is older than what other devices remember of it, so it was restored from a backup or copied",
			Hint: "Nothing is told or changed. See `kith doctor`.",
		})
	case a.problem != nil:
		out = append(out, *a.problem)
	}
	if a.historyFull.Load() {
		out = append(out, Problem{
			Code: "history_full", Text: "there is no room to keep what goes from the folder: changes of others go on without",
			Hint: "Give the history more room, or make room on its disk.",
		})
	}
	if a.disk != nil {
		if why, degraded := a.disk.watcher.Degraded(); degraded {
			out = append(out, Problem{Code: "watch_limit", Text: why, Hint: "Changes are found by scanning once a minute."})
		}
		for _, p := range a.disk.ignores.Problems() {
			out = append(out, Problem{Path: entry.Path(p.Source), Code: "ignore_rule", Text: p.Text, Hint: "Correct the line."})
		}
	}
	for p, n := range a.dirty.tries {
		if n >= longTries && len(out) < maxProblems {
			out = append(out, Problem{Path: p, Code: "being_written", Text: "a program is still writing it", Hint: "It is synced when it has been left alone for some seconds."})
		}
	}
	for _, p := range slices.SortedFunc(maps.Keys(a.copies), entry.Path.Compare) {
		if len(out) >= maxProblems/2 {
			break
		}
		out = append(out, Problem{
			Path: p, Code: "conflict", Text: fmt.Sprintf("it is another version of %q", merge.CopyOf(p)), Hint: "kith resolve ends the conflict.",
		})
	}
	for _, p := range slices.SortedFunc(maps.Keys(a.stuck), entry.Path.Compare) {
		if len(out) >= maxProblems {
			break
		}
		out = append(out, a.stuck[p].Problem)
	}
	return out
}

// longTries is after how many looks at an unsteady file a person is told.
const longTries = 12

func sameStatus(a, b Status) bool {
	return a.State == b.State && a.Head == b.Head && a.Files == b.Files && a.Bytes == b.Bytes &&
		a.NeedFiles == b.NeedFiles && a.NeedBytes == b.NeedBytes && a.Conflicts == b.Conflicts && a.Quiet == b.Quiet && a.Held == b.Held && a.LocalEdits == b.LocalEdits && a.Untaken == b.Untaken &&
		a.AbsentFiles == b.AbsentFiles && a.AbsentBytes == b.AbsentBytes &&
		slices.Equal(a.Problems, b.Problems) && maps.Equal(a.Members, b.Members)
}
