package merge

import (
	"testing"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// A version that supersedes a file unseen leaves it to whoever holds it to keep
// it, whatever else that holder has seen since.
func TestAFileThatWasSupersededUnseenIsKept(t *testing.T) {
	const anna, ben, carla = version.ReplicaID(1), version.ReplicaID(2), version.ReplicaID(3)
	file := func(author version.ReplicaID, v version.Vector) *entry.Entry {
		e := modelEntry("d", modelFile{"a file"})
		e.Version = version.Version{Vector: v, Clock: 10, Author: author}
		return e
	}
	directory := modelEntry("d", modelFile{})
	directory.Version = version.Version{Vector: version.Vector{{Replica: anna, Count: 1}, {Replica: ben, Count: 5}, {Replica: carla, Count: 2}}, Clock: 11, Author: anna}
	for name, c := range map[string]struct {
		held   *entry.Entry
		unseen version.Vector
		kept   bool
	}{
		"the very version": {file(carla, version.Vector{{Replica: carla, Count: 2}}), version.Vector{{Replica: carla, Count: 2}}, true},
		"one before it":    {file(carla, version.Vector{{Replica: carla, Count: 1}}), version.Vector{{Replica: carla, Count: 2}}, true},
		"it has won over another version since": {
			file(carla, version.Vector{{Replica: ben, Count: 5}, {Replica: carla, Count: 2}}), version.Vector{{Replica: carla, Count: 2}}, true,
		},
		"it was changed since, before the eyes of who superseded it": {
			file(ben, version.Vector{{Replica: ben, Count: 5}, {Replica: carla, Count: 2}}), version.Vector{{Replica: carla, Count: 2}}, false,
		},
		"a later one, which was seen": {file(carla, version.Vector{{Replica: carla, Count: 2}}), version.Vector{{Replica: carla, Count: 1}}, false},
		"nothing is unseen":           {file(carla, version.Vector{{Replica: carla, Count: 2}}), nil, false},
		"the work of nobody":          {file(anna, version.Vector{{Replica: carla, Count: 2}}), nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := *directory
			r.Unseen = c.unseen
			d := Decide(c.held, &r, false)
			if d.Action != Adopt || (d.Keep != nil) != c.kept || c.kept && d.Keep != c.held {
				t.Errorf("%v, kept: %+v", d.Action, d.Keep)
			}
		})
	}
}
