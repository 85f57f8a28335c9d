package main

import (
	"fmt"
	"io"
	"time"

	"github.com/kithmesh/kith/node/control"
)

type restoredView struct {
	Folder   string             `json:"folder"`
	Label    string             `json:"label"`
	At       *time.Time         `json:"at"`
	Source   deviceView         `json:"source"`
	To       string             `json:"to"`
	Snapshot string             `json:"snapshot"`
	DryRun   bool               `json:"dry_run"`
	Files    int64              `json:"files"`
	Bytes    int64              `json:"bytes"`
	Same     int64              `json:"same"`
	Removed  int64              `json:"removed"`
	Paths    []restoredPathView `json:"paths"`
	More     int64              `json:"more"`
	Problems []problemView      `json:"problems"`
}

type restoredPathView struct {
	Path      string          `json:"path"`
	PathBytes []byte          `json:"path_bytes,omitempty"`
	As        string          `json:"as"`
	AsBytes   []byte          `json:"as_bytes,omitempty"`
	What      control.Outcome `json:"what"`
}

func viewRestored(r control.Restored) restoredView {
	return restoredView{
		Folder: r.Folder.ID.String(), Label: r.Folder.Label, At: viewTime(r.At), Source: viewDevice(r.Source), To: r.To, Snapshot: r.Snapshot,
		DryRun: r.DryRun, Files: r.Files, Bytes: r.Bytes, Same: r.Same, Removed: r.Removed, More: r.More, Problems: views(r.Problems, viewProblem),
		Paths: views(r.Paths, func(p control.RestoredPath) restoredPathView {
			return restoredPathView{p.Path, pathBytes(p.Path), p.As, pathBytes(p.As), p.What}
		}),
	}
}

// showRestored shows what a restore came to. It is attention if that is not
// all that was asked for.
func (a *app) showRestored(r control.Restored, did, would string) error {
	if r.DryRun {
		did = would
	}
	if err := a.show(viewRestored(r), func(w io.Writer) error { return a.restoredLines(w, r, did) }); err != nil {
		return err
	}
	if len(r.Problems) > 0 {
		return errAttention
	}
	for _, p := range r.Paths {
		if p.What == control.OutcomeSkipped || p.What == control.OutcomeMissing {
			return errAttention
		}
	}
	return nil
}

func (a *app) restoredLines(w io.Writer, r control.Restored, did string) error {
	if err := say(w, "%s\n", restoredText(r, did)); err != nil {
		return err
	}
	for _, p := range r.Paths {
		if !r.DryRun && (p.What == control.OutcomeWritten || p.What == control.OutcomeReplaced) {
			continue // told by their number
		}
		if err := a.restoredLine(w, p); err != nil {
			return err
		}
	}
	if r.More > 0 {
		if err := say(w, "  and %s more\n", count(r.More)); err != nil {
			return err
		}
	}
	if err := problemLines(w, r.Problems); err != nil {
		return err
	}
	if r.Snapshot == "" || r.DryRun {
		return nil
	}
	return say(w, "What was here before is kept: kith restore %s --at %s\n", quoted(r.Folder.Label), quoted(r.Snapshot))
}

// restoredText is "Restored 12 files, 41 MB of Documents as of 2026-11-20
// 14:00:00, from nas; 3 were right already."
func restoredText(r control.Restored, did string) string {
	text := did + " " + plural(r.Files, "file") + ", " + size(r.Bytes)
	if r.Folder.Label != "" {
		text += ", of " + r.Folder.Label
	}
	if !r.At.IsZero() {
		text += " as of " + stamp(r.At, now())
	}
	if r.Source.Name != "" {
		text += ", from " + r.Source.Name
	}
	if r.To != "" {
		text += ", into " + shown(r.To)
	}
	if r.Same > 0 {
		text += "; " + count(r.Same) + " right already"
	}
	if r.Removed > 0 {
		text += "; " + count(r.Removed) + " removed"
	}
	return text + "."
}

func (a *app) restoredLine(w io.Writer, p control.RestoredPath) error {
	mark, paint := map[control.Outcome]string{
		control.OutcomeWritten: "+", control.OutcomeReplaced: "*", control.OutcomeBeside: "+", control.OutcomeRemoved: "-",
		control.OutcomeSkipped: "!", control.OutcomeMissing: "!",
	}[p.What], plain
	text := shown(p.Path)
	switch p.What {
	case control.OutcomeBeside:
		text += " as " + shown(p.As)
	case control.OutcomeSkipped:
		text, paint = text+": skipped", alert
	case control.OutcomeMissing:
		text, paint = text+": no history has all of its content", bad
	case control.OutcomeWritten, control.OutcomeReplaced, control.OutcomeRemoved:
	}
	_, err := fmt.Fprintf(w, "  %s %s\n", mark, a.outTerminal.paint(paint, printable(text)))
	return err
}
