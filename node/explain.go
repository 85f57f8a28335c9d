package node

import (
	"context"
	"fmt"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/folder"
)

// Why implements [control.Paths].
func (d *Device) Why(ctx context.Context, p control.Place) (control.Explanation, error) {
	s, at, err := d.findPlace(p)
	if err != nil {
		return control.Explanation{}, fmt.Errorf("why %w", err)
	}
	tree, err := s.withTree()
	if err != nil {
		return control.Explanation{}, fmt.Errorf("why %w", err)
	}
	d.check(ctx, s)
	why, err := tree.Why(ctx, at)
	if err != nil {
		return control.Explanation{}, fmt.Errorf("why %q: %w", s.shownPath(at), err)
	}
	if len(why.Causes) == 1 && why.Causes[0].Code == "not_known" {
		return control.Explanation{}, fmt.Errorf("why %q: %w", s.shownPath(at), control.ErrNoPath)
	}
	out := control.Explanation{Folder: s.controlled(), Path: string(at), Where: whereNames[why.Where]}
	if e := why.Entry; e != nil {
		out.Kind = e.Kind
		if !e.Unknown {
			out.Version = fmt.Sprintf("by %s, %s", e.AuthorName, e.Version.Clock.Time().Local().Format("2006-01-02 15:04:05"))
		}
	}
	for _, h := range why.Holders {
		out.Holders = append(out.Holders, d.identity(h))
	}
	out.Causes = append(d.pausesOf(s), s.removal()...)
	if why.Entry == nil || why.Where == folder.Coming || len(why.Lacking) > 0 {
		out.Causes = append(out.Causes, d.waitsForLAN(s.Status())...)
	}
	out.Causes = append(out.Causes, controlledProblems(why.Causes)...)
	out.Causes = append(out.Causes, d.notThere(s, at, why)...)
	return out, nil
}

// pausesOf says what a person has paused of a folder.
func (d *Device) pausesOf(s *share) []control.Problem {
	if !d.isPausedFolder(s.ID) {
		return nil
	}
	if why := d.rests(d.in()); why != nil {
		return []control.Problem{*why}
	}
	return []control.Problem{{Code: "paused", Message: "the folder, or everything, is paused", Hint: "kith resume ends the pause."}}
}

// removal says that this device is no member any more.
func (s *share) removal() []control.Problem {
	if _, in := s.member(s.device.id.ID()); in {
		return nil
	}
	return []control.Problem{removedProblem}
}

// notThere says which members do not have a path as it is here, and why.
func (d *Device) notThere(s *share, at entry.Path, why folder.Explanation) (out []control.Problem) {
	if len(s.members()) < 2 {
		return []control.Problem{{
			Path: string(at), Code: "not_shared", Message: "no other device is a member of the folder", Hint: "kith share FOLDER DEVICE, or kith pair --share FOLDER.",
		}}
	}
	lacking := map[entry.DeviceID]bool{}
	for _, id := range why.Lacking {
		lacking[id] = true
	}
	st := s.Status()
	for _, m := range s.members() {
		if m.Device == d.id.ID() {
			continue
		}
		name := d.shownMember(m.Device, m.Name)
		_, met := st.Members[m.Device]
		p := control.Problem{Path: string(at)}
		switch {
		case !s.joined(m.Device):
			p.Code, p.Message, p.Hint = "not_accepted", name+" was offered the folder and has not taken it", "On "+name+": kith accept "+s.controlled().Label+"."
		case why.Entry == nil || why.Entry.Unknown || met && !lacking[m.Device]:
			continue
		case d.isPaused(m.Device):
			p.Code, p.Message, p.Hint = "device_paused", name+" does not have it, and is paused", "kith resume "+name+"."
		case !st.Members[m.Device].Connected:
			p.Code, p.Message, p.Hint = "waiting_for_peer", name+" does not have it, and is not connected"+d.sinceText(m.Device), "It gets it when it is connected; kith doctor "+name+" says why it is not."
		default:
			p.Code, p.Message = "telling_peer", name+" does not have it yet, and is getting it"
		}
		out = append(out, p)
	}
	return out
}

func (d *Device) sinceText(id entry.DeviceID) string {
	p, ok := d.store.Peer(id)
	if !ok || p.LastSeen.IsZero() {
		return ""
	}
	return " since " + p.LastSeen.Local().Format(time.DateTime)
}

// shownMember is what a member is called here.
func (d *Device) shownMember(id entry.DeviceID, own string) string {
	if name := d.nameOf(id); name != "" {
		return name
	}
	return own
}
