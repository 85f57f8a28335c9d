package node

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/folder"
)

// Examine implements [control.Roles].
func (d *Device) Examine(ctx context.Context) ([]control.Finding, error) {
	st, err := d.Status(ctx, "")
	if err != nil {
		return nil, err
	}
	out := []control.Finding{d.examineSelf(&st)}
	for _, p := range st.Problems {
		if p.Code == settingWaits { // told below, each by its name
			continue
		}
		out = append(out, control.Finding{Subject: "device", Code: p.Code, Message: p.Message, Hint: p.Hint})
	}
	out = append(append(out, d.file.findings()...), d.examineClocks()...)
	for i := range st.Folders {
		out = append(out, d.examineFolder(&st.Folders[i])...)
	}
	return out, nil
}

func counted(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func (d *Device) examineSelf(st *control.Status) control.Finding {
	f := control.Finding{Subject: "device", OK: true, Code: "running", Message: fmt.Sprintf("%s is up, at %s", d.Name(), counted(int64(len(st.Listen)), "address", "addresses"))}
	switch {
	case st.Paused:
		f.OK, f.Code, f.Message, f.Hint = false, "paused", "everything is paused", "kith resume"
	case len(st.Listen) == 0:
		f.OK, f.Code, f.Message, f.Hint = false, "no_address", "this device listens nowhere, so no other can reach it", "see --listen of kith up"
	}
	return f
}

// examineClocks compares this device's clock with those that others have told.
func (d *Device) examineClocks() (out []control.Finding) {
	far := false
	d.eachLink(func(l *link) {
		away := l.clockAway()
		if away.Abs() <= clockFar {
			return
		}
		far = true
		which := "ahead of"
		if away < 0 {
			which = "behind"
		}
		f := control.Finding{
			Subject: "clock", Code: "clock_far", Message: fmt.Sprintf("the clock of %s is %s %s this one", d.nameOf(l.id), away.Abs().Round(time.Second), which),
			Hint: "set the clock that is wrong: nothing is lost by it, but times are misleading",
		}
		if away.Abs() > 24*time.Hour {
			f.Hint += ", and beyond the local network two devices whose days differ do not find each other"
		}
		out = append(out, f)
	})
	if !far && d.standing().Clock.Behind == 0 { // else [Device.ExamineReach] tells
		out = append(out, control.Finding{Subject: "clock", OK: true, Code: "clock", Message: "it agrees with those of connected devices"})
	}
	return out
}

// fencedText explains a fence to a person who is to decide.
const (
	fencedText = "other devices remember changes of this one that it does not: its state was restored from a backup, or copied to a second device. " +
		"It tells and changes nothing until you say how to go on"
	fencedHint = "if this is the only device with this state: kith doctor --go-on %s, and nothing is lost. " +
		"If a copy of it runs elsewhere: stop this one, and set it up as a new device instead"
)

func (d *Device) examineFolder(f *control.FolderStatus) (out []control.Finding) {
	subject := "folder " + f.Label
	s := d.share(f.ID)
	if s == nil {
		return nil
	}
	for _, p := range f.Problems {
		if p.Code == "fenced" {
			p.Message, p.Hint = fencedText, fmt.Sprintf(fencedHint, f.Label)
		}
		text := p.Message
		if p.Path != "" {
			text = p.Path + ": " + text
		}
		out = append(out, control.Finding{Subject: subject, Code: p.Code, Message: text, Hint: p.Hint})
	}
	if f.Conflicts > 0 {
		out = append(out, control.Finding{
			Subject: subject, Code: "conflicts", Message: counted(f.Conflicts, "conflict copy", "conflict copies"), Hint: "kith conflicts " + f.Label,
		})
	}
	if len(f.Members) == 0 && f.Role != entry.RoleBackup {
		out = append(out, control.Finding{
			Subject: subject, Code: "not_shared", Message: "no other device has it: there is one copy", Hint: "kith share " + f.Label + " DEVICE",
		})
	}
	out = append(out, s.examineRecovery()...)
	if len(out) == 0 {
		out = append(out, control.Finding{Subject: subject, OK: true, Code: string(f.State), Message: fmt.Sprintf("%s, %s", strings.ReplaceAll(string(f.State), "-", " "), counted(f.Files, "file", "files"))})
	}
	return out
}

// heldProblem is the condition of a folder with held batches.
func heldProblem(st folder.Status) []control.Problem {
	if st.Held == 0 {
		return nil
	}
	return []control.Problem{{
		Code: "held", Message: fmt.Sprintf("%d batches that take away much of the folder wait for you", st.Held),
		Hint: "kith held shows them; kith approve lets one pass, kith reject undoes it everywhere",
	}}
}
