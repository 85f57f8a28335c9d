package rescue

import (
	"cmp"
	"slices"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/node/recovery"
	"github.com/kithmesh/kith/protocol/seal"
)

// Folder is one in which the words are in force, as it was known when it was
// looked at.
type Folder struct {
	ID     entry.FolderID
	Label  string
	Roster roster.Roster
	// Keys are those that may be the true one of each epoch, the likeliest
	// first; see [recovery.TrueKeys].
	Keys    map[entry.Epoch][]seal.FolderKey
	Tellers []Teller // by ID
}

// Teller is a device that knows a folder.
type Teller struct {
	ID   entry.DeviceID
	Name string // that it gives itself; empty until it is heard
}

// opens are the folders in which the words are in force, with their rosters.
func (x *Rescue) opens() map[entry.FolderID]roster.Roster {
	x.mu.Lock()
	defer x.mu.Unlock()
	out := map[entry.FolderID]roster.Roster{}
	for id, r := range x.rosters {
		if r.IsRecovery(x.secret.Identity().ID()) {
			out[id] = r
		}
	}
	return out
}

// Roster is that of a folder as all know it together, with what was said; empty
// where the words are not in force.
func (x *Rescue) Roster(id entry.FolderID) roster.Roster { return x.opens()[id] }

// Folders are those that the words open, and those that they should open and do
// not, by label.
func (x *Rescue) Folders() (opened, keyless []Folder) {
	for id, r := range x.opens() {
		f := Folder{ID: id, Label: r.Label(), Roster: r, Keys: x.secret.Candidates(r), Tellers: x.tellers(id)}
		if len(f.Keys) == 0 {
			keyless = append(keyless, f)
			continue
		}
		opened = append(opened, f)
	}
	byLabel := func(a, b Folder) int {
		return cmp.Or(cmp.Compare(a.Label, b.Label), cmp.Compare(a.ID.String(), b.ID.String()))
	}
	slices.SortFunc(opened, byLabel)
	slices.SortFunc(keyless, byLabel)
	return opened, keyless
}

// tellers are the devices that know a folder.
func (x *Rescue) tellers(id entry.FolderID) (out []Teller) {
	for _, d := range x.Listed() {
		w := x.Witness(d)
		x.mu.Lock()
		if _, tells := w.told[id]; tells {
			out = append(out, Teller{d, w.name})
		}
		x.mu.Unlock()
	}
	return out
}

// Members are those of some folders but for one device.
func Members(folders []Folder, but entry.DeviceID) map[entry.DeviceID]roster.Member {
	out := map[entry.DeviceID]roster.Member{}
	for _, f := range folders {
		for _, m := range f.Roster.Members() {
			if m.Device != but {
				out[m.Device] = m
			}
		}
	}
	return out
}

// Met tells whether a device is there, and has told which folders it knows.
func (x *Rescue) Met(id entry.DeviceID) bool { return slices.Contains(x.Listed(), id) }

// Absent are those of the members that can read, and were not met.
func (x *Rescue) Absent(members map[entry.DeviceID]roster.Member) (out []roster.Member) {
	for id, m := range members {
		if (m.Role.HoldsKey() || m.Granted.HoldsKey()) && !x.Met(id) {
			out = append(out, m)
		}
	}
	slices.SortFunc(out, func(a, b roster.Member) int { return cmp.Compare(a.Device, b.Device) })
	return out
}

// Made is when words became a recovery key of the folder, or the moment given if
// they did not before that.
func (f *Folder) Made(words recovery.Public, before time.Time) time.Time {
	for _, r := range f.Roster.Recoveries() {
		if r.Device == words.Device() && r.Clock.Time().Before(before) {
			before = r.Clock.Time()
		}
	}
	return before
}
