package cover

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/protocol/seal"
)

// Problem is something about the words of a folder that a person is to see.
type Problem struct {
	Code    string // stable
	Message string // what is so
	Hint    string // what to do
}

// Names is what the device that made words is called.
type Names func(entry.DeviceID) string

// Problems are the conditions of a folder's recovery keys, on a device that has
// these keys of the folder.
func Problems(r roster.Roster, keys map[entry.Epoch]seal.FolderKey, names Names) (out []Problem) {
	all := r.Recoveries()
	var by []string
	for _, key := range all {
		by = append(by, fmt.Sprintf("by %s on %s", names(key.Author), day(&key)))
		if lacks := unkept(&key, keys); lacks > 0 {
			out = append(out, Problem{
				Code: "recovery_incomplete", Message: fmt.Sprintf("the recovery words do not open what is sealed with %d of the folder's keys", lacks),
				Hint: "kith recovery create on another device makes others, which open all of it",
			})
		}
	}
	if len(all) > 1 {
		out = append(out, Problem{
			Code: "recovery_several", Message: fmt.Sprintf("%d sets of recovery words open the folder, made %s", len(all), strings.Join(by, ", ")),
			Hint: "whoever has one of them reads everything; kith recovery create, where one was made, puts another in its place",
		})
	}
	return out
}

// Orphaned are the recovery words of a folder whose maker is out of it, but for
// those of this device: if the maker was stolen, so may be the words.
func Orphaned(r roster.Roster, own entry.DeviceID, names Names) (out []Problem) {
	for _, key := range r.Recoveries() {
		if _, in := r.Member(key.Author); in || key.Device == own {
			continue
		}
		out = append(out, Problem{
			Code:    "recovery_orphaned",
			Message: fmt.Sprintf("recovery words that were made by %s on %s still open it", names(key.Author), day(&key)),
			Hint:    "if you do not have them at home: kith recovery create puts others in their place",
		})
	}
	return out
}

func day(key *roster.Recovery) string { return key.Clock.Time().Local().Format(time.DateOnly) }

// Former is what a device is called that is no member any more: as the last
// statement says that gives it a name, or by its ID.
func Former(r roster.Roster, id entry.DeviceID) string {
	for _, st := range slices.Backward(r.Statements()) {
		if st.Subject == id && st.Name != "" {
			return st.Name + " (no member any more)"
		}
	}
	return string(id)
}
