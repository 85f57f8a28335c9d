package control

import (
	"fmt"

	"github.com/kithmesh/kith/proto/controlpb"
)

var outcomes = map[controlpb.Outcome]Outcome{
	controlpb.Outcome_OUTCOME_WRITTEN:  OutcomeWritten,
	controlpb.Outcome_OUTCOME_REPLACED: OutcomeReplaced,
	controlpb.Outcome_OUTCOME_BESIDE:   OutcomeBeside,
	controlpb.Outcome_OUTCOME_REMOVED:  OutcomeRemoved,
	controlpb.Outcome_OUTCOME_SKIPPED:  OutcomeSkipped,
	controlpb.Outcome_OUTCOME_MISSING:  OutcomeMissing,
}

// outcomeFromWire takes what a newer device may know for skipped: nobody must
// believe that something was restored unless it was said.
func outcomeFromWire(w controlpb.Outcome) Outcome {
	if o, ok := outcomes[w]; ok {
		return o
	}
	return OutcomeSkipped
}

func restoreProgressToWire(p RestoreProgress) *controlpb.RestoreEvent {
	return &controlpb.RestoreEvent{Event: &controlpb.RestoreEvent_Progress{Progress: &controlpb.RestoreProgress{
		Folder: folderToWire(p.Folder), Files: p.Files, Bytes: p.Bytes, TotalFiles: p.TotalFiles, TotalBytes: p.TotalBytes,
	}}}
}

func restoreProgressFromWire(p *controlpb.RestoreProgress) RestoreProgress {
	return RestoreProgress{
		Folder: folderFromWire(p.GetFolder()), Files: p.GetFiles(), Bytes: p.GetBytes(), TotalFiles: p.GetTotalFiles(), TotalBytes: p.GetTotalBytes(),
	}
}

func restoredToWire(r Restored) *controlpb.RestoreEvent {
	r.Problems = listed(r.Problems)
	paths, more := listedPaths(r.Paths)
	return &controlpb.RestoreEvent{Event: &controlpb.RestoreEvent_Done{Done: &controlpb.Restored{
		Folder: folderToWire(r.Folder), AtUs: micros(r.At), Source: identityToWire(r.Source), To: []byte(r.To), Snapshot: text(r.Snapshot),
		DryRun: r.DryRun, Files: r.Files, Bytes: r.Bytes, Same: r.Same, Removed: r.Removed, More: r.More + more,
		Problems: convert(r.Problems, problemToWire),
		Paths: convert(paths, func(p RestoredPath) *controlpb.RestoredPath {
			return &controlpb.RestoredPath{Path: []byte(p.Path), As: []byte(p.As), What: wordOf(outcomes, p.What)}
		}),
	}}}
}

func restoredFromWire(r *controlpb.Restored) Restored {
	return Restored{
		Folder: folderFromWire(r.GetFolder()), At: instant(r.GetAtUs()), Source: identityFromWire(r.GetSource()), To: string(r.GetTo()),
		Snapshot: r.GetSnapshot(), DryRun: r.GetDryRun(), Files: r.GetFiles(), Bytes: r.GetBytes(), Same: r.GetSame(),
		Removed: r.GetRemoved(), More: r.GetMore(), Problems: convert(r.GetProblems(), problemFromWire),
		Paths: convert(r.GetPaths(), func(p *controlpb.RestoredPath) RestoredPath {
			return RestoredPath{Path: string(p.GetPath()), As: string(p.GetAs()), What: outcomeFromWire(p.GetWhat())}
		}),
	}
}

// listedPaths is as many of the paths as one message may hold, and how many
// are left out. Those that a person must look at go before the others.
func listedPaths(paths []RestoredPath) ([]RestoredPath, int64) {
	total := 0
	for _, p := range paths {
		total += len(p.Path) + len(p.As)
	}
	if total <= maxReport {
		return paths, 0
	}
	var out []RestoredPath
	room := maxReport
	for _, first := range []bool{true, false} {
		for _, p := range paths {
			attention := p.What == OutcomeSkipped || p.What == OutcomeMissing
			if attention != first || len(p.Path)+len(p.As) > room {
				continue
			}
			room -= len(p.Path) + len(p.As)
			out = append(out, p)
		}
	}
	return out, int64(len(paths) - len(out))
}

// listed is as many of the problems as one message may hold; a last one says
// how many there are besides.
func listed(problems []Problem) []Problem {
	room := maxReport
	for i, p := range problems {
		if room -= len(p.Path) + len(p.Message) + len(p.Hint); room < 0 {
			more := Problem{Code: "more", Message: fmt.Sprintf("there are %d more problems", len(problems)-i)}
			return append(problems[:i:i], more)
		}
	}
	return problems
}
