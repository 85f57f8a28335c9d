package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
)

// now is the present; tests put another one in its place.
var now = time.Now

// maxProblems is how many problems of a folder are shown unless it was named.
const maxProblems = 5

// statusPage lays out what `kith status` shows to people.
type statusPage struct {
	now         time.Time
	on          terminal
	allProblems bool
}

func (p statusPage) write(w io.Writer, s control.Status) error {
	t := table{}
	t.row(cell{text: s.Name, style: bold}, p.devices(s))
	for _, f := range s.Folders {
		t.row(p.folder(f)...)
	}
	for _, peer := range s.Peers {
		t.row(p.peer(peer, s.Folders)...)
	}
	if err := t.write(w, p.on); err != nil {
		return err
	}
	return p.notes(w, s)
}

func (p statusPage) devices(s control.Status) string {
	online := int64(1)
	for _, peer := range s.Peers {
		if peer.Connected {
			online++
		}
	}
	text := plural(int64(len(s.Peers))+1, "device") + ", " + count(online) + " online"
	if s.Paused {
		text += ", paused: kith resume goes on"
	}
	return text
}

// folder is the row of one folder. What a person should act on goes before
// what goes on by itself.
func (p statusPage) folder(f control.FolderStatus) []any {
	row := []any{cell{text: f.Label, style: bold}, f.Role.String()}
	switch {
	case f.Held > 0:
		return append(row, cell{text: heldBatches(f.Held), style: alert}, "kith held "+quoted(f.Label))
	case f.State == control.StateFenced:
		return append(row, cell{text: "fenced", style: bad}, "this device was restored or cloned: kith doctor")
	case f.State == control.StateError:
		return append(row, cell{text: "error", style: bad}, p.problem(f))
	case f.Conflicts > 0:
		return append(row, cell{text: plural(f.Conflicts, "conflict"), style: alert}, "kith conflicts "+quoted(f.Label))
	}
	row = append(row, cell{text: strings.ReplaceAll(string(f.State), "-", " "), style: stateStyle(f.State)})
	if f.Role == entry.RoleBackup && f.Vault != nil {
		return append(row, cell{text: plural(f.Vault.Versions, "version"), right: true}, cell{text: size(f.Vault.Bytes), right: true}, p.backup(f))
	}
	return append(row, cell{text: plural(f.Files, "file"), right: true}, cell{text: size(f.Bytes), right: true}, p.remark(f))
}

func heldBatches(n int64) string {
	if n == 1 {
		return "1 batch held"
	}
	return count(n) + " batches held"
}

func stateStyle(s control.State) style {
	switch s {
	case control.StateInSync:
		return good
	case control.StatePaused, control.StateWaiting:
		return alert
	}
	return plain
}

func (p statusPage) problem(f control.FolderStatus) string {
	if len(f.Problems) == 0 {
		return ""
	}
	return f.Problems[0].Message
}

// remark says how far it is, and what of the folder is not here or not
// elsewhere.
func (p statusPage) remark(f control.FolderStatus) string {
	var parts []string
	if text := p.progress(f); text != "" {
		parts = append(parts, text)
	}
	if f.AbsentFiles > 0 || f.AbsentBytes > 0 {
		parts = append(parts, plural(f.AbsentFiles, "file")+", "+size(f.AbsentBytes)+" elsewhere only")
	}
	if f.LocalEdits > 0 {
		parts = append(parts, plural(f.LocalEdits, "local edit"))
	}
	if f.Untaken > 0 {
		parts = append(parts, plural(f.Untaken, "change")+" of others not taken")
	}
	if alone(f) {
		parts = append(parts, "no member is connected: kith doctor")
	}
	return strings.Join(parts, "; ")
}

// alone tells whether all other members of a folder are away, though nobody has
// paused it.
func alone(f control.FolderStatus) bool {
	return len(f.Members) > 0 && f.State != control.StatePaused &&
		!slices.ContainsFunc(f.Members, func(m control.MemberStatus) bool { return m.Connected })
}

// toCome is what is still wanted here.
func (p statusPage) toCome(f control.FolderStatus) string {
	if f.NeedFiles == 0 && f.NeedBytes == 0 {
		return ""
	}
	text := plural(f.NeedFiles, "file") + ", " + size(f.NeedBytes) + " to come"
	if f.State == control.StateWaiting {
		text += ", from nobody who is connected"
	}
	return text
}

func (p statusPage) progress(f control.FolderStatus) string {
	if text := p.toCome(f); text != "" {
		return text
	}
	switch {
	case len(f.Members) == 0 && f.ProtectedAsOf.IsZero():
		return "only here"
	case p.unprotected(f):
		if f.ProtectedAsOf.IsZero() {
			return "not protected yet"
		}
		return "not protected since " + clock(f.ProtectedAsOf, p.now)
	case f.ProtectedAsOf.IsZero():
		return ""
	}
	return p.protection(f)
}

// lag is how old the moment may be as of which a folder is protected, while
// nothing is wrong.
const lag = time.Minute

// unprotected tells whether a folder has backups, and none of them holds what is
// here by now or is about to: none is connected, or has a time of its own for
// that, after which it is stale.
func (p statusPage) unprotected(f control.FolderStatus) bool {
	backups := false
	for _, m := range f.Members {
		if m.Role != entry.RoleBackup {
			continue
		}
		if backups = true; m.Connected || m.Schedule != "" {
			return false
		}
	}
	return backups && p.now.Sub(f.ProtectedAsOf) > lag
}

// protection is "protected 14:02 by nas (2 copies, proven 2 d ago)". The proof
// is that of a device that is named.
func (p statusPage) protection(f control.FolderStatus) string {
	var by []string
	var proven time.Time
	copies := int64(1)
	for _, m := range f.Members {
		if m.NeedFiles == 0 && m.NeedBytes == 0 {
			copies++
		}
		if !protects(m, f) {
			continue
		}
		by = append(by, m.Name)
		for _, t := range []time.Time{m.LastProven, m.LastDrill} {
			if t.After(proven) {
				proven = t
			}
		}
	}
	text := "protected " + clock(f.ProtectedAsOf, p.now)
	if len(by) > 0 {
		text += " by " + strings.Join(by, ", ")
	}
	how := "never proven"
	if !proven.IsZero() {
		how = "proven " + ago(proven, p.now)
	}
	word := "copies"
	if copies == 1 {
		word = "copy"
	}
	return fmt.Sprintf("%s (%d %s, %s)", text, copies, word, how)
}

// protects tells whether a member is one of those that hold all that was here
// at the moment as of which the folder is protected, which is shown to the
// minute.
func protects(m control.MemberStatus, f control.FolderStatus) bool {
	return m.Role == entry.RoleBackup && !m.ProtectedAsOf.IsZero() && m.ProtectedAsOf.After(f.ProtectedAsOf.Add(-time.Minute))
}

// peer is the row of one peer, with what it does for the folders.
func (p statusPage) peer(peer control.PeerStatus, folders []control.FolderStatus) []any {
	row := []any{cell{text: peer.Name, style: bold}}
	if peer.Connected {
		row = append(row, cell{text: "online", style: good}, strings.TrimSpace(string(peer.Via)+" "+string(peer.Transport)))
	} else {
		row = append(row, "offline", seen(peer.LastSeen, p.now))
	}
	var files, bytes int64
	var roles []entry.Role
	for _, f := range folders {
		for _, m := range f.Members {
			if m.ID == peer.ID {
				files, bytes, roles = files+m.NeedFiles, bytes+m.NeedBytes, append(roles, m.Role)
			}
		}
	}
	var remarks []string
	if peer.Paused {
		remarks = append(remarks, "paused")
	}
	if len(roles) > 0 && !slices.ContainsFunc(roles, entry.Role.HoldsKey) {
		remarks = append(remarks, "backup, cannot read")
	}
	if files > 0 || bytes > 0 {
		remarks = append(remarks, "waiting: "+plural(files, "file")+", "+size(bytes))
	}
	return append(row, strings.Join(remarks, "; "))
}

func seen(t, now time.Time) string {
	if t.IsZero() {
		return "never seen"
	}
	return "seen " + ago(t, now)
}

// notes are the problems, and what to do when there is nothing to show yet.
func (p statusPage) notes(w io.Writer, s control.Status) error {
	var b strings.Builder
	for _, problem := range s.Problems {
		p.note(&b, "this device", problem)
	}
	for _, f := range s.Folders {
		shown := f.Problems
		if !p.allProblems && len(shown) > maxProblems {
			shown = shown[:maxProblems]
		}
		for _, problem := range shown {
			p.note(&b, f.Label, problem)
		}
		if more := len(f.Problems) - len(shown); more > 0 {
			fmt.Fprintf(&b, "%s: %s more: kith status %s\n", printable(f.Label), plural(int64(more), "problem"), printable(quoted(f.Label)))
		}
	}
	if len(s.Folders) == 0 {
		b.WriteString("No folders yet: kith add PATH makes a tree a folder, kith offers lists what peers offer.\n")
	}
	if len(s.Peers) == 0 {
		b.WriteString("No other devices yet: kith pair shows a code for one.\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (p statusPage) note(b *strings.Builder, where string, problem control.Problem) {
	if problem.Path != "" {
		where += "/" + problem.Path
	}
	text := where + ": " + problem.Message
	if problem.Hint != "" {
		text += " (" + problem.Hint + ")"
	}
	b.WriteString(printable(text) + "\n")
}
