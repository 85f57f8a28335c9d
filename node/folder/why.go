package folder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/folder/merge"
	"github.com/kithmesh/kith/node/tree"
)

// Explanation is why a path is as it is on this device.
type Explanation struct {
	Entry   *entry.Entry // nil if nothing is known of the path
	Where   Where
	Causes  []Problem
	Holders []entry.DeviceID // of what is not here
	// Lacking are members that do not have all of this device's changes up to
	// that of the path.
	Lacking []entry.DeviceID
}

// Why explains the state of a path.
func (f *Folder) Why(ctx context.Context, p entry.Path) (out Explanation, err error) {
	var failed error
	err = f.do(ctx, func(a *actor) {
		w := &why{actor: a, p: p}
		failed = a.view(w.explain)
		out = w.Explanation
	})
	return out, errors.Join(err, failed)
}

// why collects the causes for one path, the most telling first.
type why struct {
	*actor
	Explanation
	p     entry.Path
	wants []merge.Want
	local *entry.Entry
}

func (w *why) say(code, text, hint string) {
	w.Causes = append(w.Causes, Problem{Path: w.p, Code: code, Text: text, Hint: hint})
}

func (w *why) explain(x *index.Folder) (err error) {
	wants, err := x.Wanted(w.p)
	if err != nil {
		return err
	}
	w.wants = toWants(wants)
	w.Holders = holders(wants)
	if w.Entry, err = x.Get(w.p); err != nil {
		return err
	}
	if w.local, err = x.Local(w.p); err != nil {
		return err
	}
	for _, p := range w.problems() {
		if p.Path == "" {
			w.Causes = append(w.Causes, p)
		}
	}
	w.ofDisk()
	w.ofWanted()
	w.ofEntry(x)
	w.ofConflicts()
	return nil
}

// ofDisk says what is so of the path on disk.
func (w *why) ofDisk() {
	if w.disk == nil {
		return
	}
	st, err := w.disk.tree.Lstat(w.p)
	switch {
	case errors.Is(err, tree.ErrReserved), errors.Is(err, entry.ErrPath): // the names of no entry
		w.say("kiths_own", "it is kith's own, and lies on this device alone", "")
		return
	case errors.Is(err, fs.ErrPermission):
		w.say("no_permission", "this user may not look at it: "+err.Error(), "Let the user that kith runs as read its directory.")
	}
	isDir := err == nil && st.Kind == entry.Directory || err != nil && w.Entry != nil && w.Entry.Kind == entry.Directory
	if ignored, rule, failed := w.disk.ignores.Match(w.p, isDir); failed == nil && ignored {
		w.say("ignored", fmt.Sprintf("it is ignored by %q, %s line %d", rule.Pattern, rule.Source, rule.Line),
			"Take out that line, or add a line with ! and the path below it.")
	}
	if t, ok := w.stuck[w.p]; ok {
		w.Causes = append(w.Causes, t.Problem)
	}
	for up := w.p.Parent(); up != ""; up = up.Parent() {
		if t, ok := w.stuck[up]; ok {
			w.Causes = append(w.Causes, t.Problem)
		}
	}
	switch n := w.dirty.tries[w.p]; {
	case n >= longTries: // among the problems
	case n > 0:
		w.say("being_written", "a program is still writing it", "It is synced when it has been left alone for a moment.")
	case w.dirty.has(w.p) || w.looking && w.Entry == nil && err == nil:
		w.say("scanning", "it has just changed, and is being looked at", "It takes a moment.")
	case w.going.has(w.p):
		w.say("going", "it is gone from the disk, and that is told in a moment", "If it was not meant to go, put it back now.")
	}
	if err == nil && st.Kind == 0 && !hasCode(w.Causes, codeSpecial) {
		w.say(codeSpecial, "a fifo, socket or device is not synced", "Move it out of the folder, or name it in .kithignore.")
	}
}

func hasCode(all []Problem, code string) bool {
	for _, p := range all {
		if p.Code == code {
			return true
		}
	}
	return false
}

// ofWanted says why a version that is known is not here.
func (w *why) ofWanted() {
	if len(w.wants) == 0 {
		return
	}
	top, _ := merge.Best(w.wants, func(merge.Want) bool { return true })
	w.Where = Coming
	what := fmt.Sprintf("a newer version, by %s", top.Entry.AuthorName)
	if top.Entry.Kind == entry.Deleted {
		what = fmt.Sprintf("a delete, by %s,", top.Entry.AuthorName)
	}
	connected := 0
	for d := range top.Tellers {
		if w.roll[d] != nil {
			connected++
		}
	}
	switch {
	case !takes(w.role) && !(w.Entry != nil && w.Entry.Absent):
		w.Where = Elsewhere
		w.say("not_taken", what+" is known, which the role "+w.role.String()+" does not take", "kith role FOLDER sync takes it.")
	case w.brakes(w.p):
		w.say("held", what+" is held, with much else", "kith held shows it; kith approve lets it pass, kith reject undoes it.")
	case w.fenced, w.disk == nil: // said already
	case w.inflight.has(w.p):
		w.say("syncing", what+" is being fetched", "")
	case connected == 0 && top.Entry.Kind == entry.File && len(top.Entry.Blocks) > 0:
		w.say("waiting_for_device", what+" is on devices that are not connected", "It comes when one of them is connected.")
	case len(w.stuck) > 0 && hasPath(w.Causes, w.p): // said already
	default:
		w.say("syncing", what+" is on its way", "")
	}
}

func hasPath(all []Problem, p entry.Path) bool {
	for _, o := range all {
		if o.Path == p {
			return true
		}
	}
	return false
}

// ofEntry says what is so of what the index holds.
func (w *why) ofEntry(x *index.Folder) {
	e := w.Entry
	switch {
	case e == nil:
		if len(w.wants) == 0 && len(w.Causes) == 0 {
			w.say("not_known", "no device is known to have had it", "")
		}
		return
	case w.local != nil && w.local.Lives():
		w.Where = LocalEdit
		w.say("local_edit", "it was edited here, and the role receive keeps that here", "kith revert drops the edit; kith role FOLDER sync makes it a change.")
	case w.local != nil:
		w.Where = Elsewhere
		w.say("deleted_here", "it was deleted here, and the role receive keeps that here", "kith revert, or kith get, brings it back.")
	case e.Unknown && w.role == entry.RoleReceive:
		w.Where = LocalEdit
		w.say("local_edit", "it was made here, and the role receive keeps it here", "kith role FOLDER sync makes it a change.")
	case e.Unknown:
		w.say("history_unknown", "it was here before this device joined, and others are asked first what they know of it", "Connect a device that has the folder.")
	case e.Kind == entry.Deleted:
		w.say("deleted", fmt.Sprintf("it was deleted by %s at %s", e.AuthorName, e.Version.Clock.Time().Local().Format("2006-01-02 15:04:05")), "")
	case e.Absent && len(w.wants) == 0:
		w.Where = Elsewhere
		w.say("not_here", w.awayText(e), "kith get brings it here.")
	}
	if !e.Unknown && w.local == nil {
		w.ofMembers(x, e)
	}
}

func (w *why) awayText(e *entry.Entry) string {
	rule := w.choices.Of(e.Path)
	switch {
	case !rule.Here && rule.Path == e.Path:
		return "it was freed here"
	case !rule.Here && rule.Path == "":
		return "the folder is not chosen to lie here"
	case !rule.Here:
		return fmt.Sprintf("%q is not chosen to lie here", rule.Path)
	case w.role == entry.RoleArchive:
		return "it was deleted here, which frees its space and deletes it nowhere else"
	}
	return "its content is not on this device"
}

// ofMembers notes who does not have what is here.
func (w *why) ofMembers(x *index.Folder, e *entry.Entry) {
	for d, p := range x.Peers() {
		if m := w.roll[d]; m != nil {
			p = m.peer
		}
		if p.Ours != x.Epoch() || p.TheyHold < e.Sequence {
			w.Lacking = append(w.Lacking, d)
		}
	}
}

// ofConflicts says whether the path is part of a conflict.
func (w *why) ofConflicts() {
	if merge.IsCopy(w.p) {
		if _, lives := w.copies[w.p]; lives {
			w.say("conflict_copy", fmt.Sprintf("it is a conflict copy of %q", merge.CopyOf(w.p)), "kith resolve ends the conflict.")
		}
		return
	}
	n := 0
	for c := range w.copies {
		if isCopyOf(c, w.p) {
			n++
		}
	}
	if n > 0 {
		w.say("conflict", fmt.Sprintf("%d other versions of it lie beside it", n), "kith conflicts shows them; kith resolve ends it.")
	}
}
