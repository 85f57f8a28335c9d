package vault

import (
	"encoding/binary"
	"fmt"

	"github.com/kithmesh/kith/index/entry"
)

// givers are the numbers by which rows and entries speak of devices.
type givers struct {
	codes   map[entry.DeviceID]giver
	devices map[giver]entry.DeviceID
	last    giver
	added   []named
}

type named struct {
	code   giver
	device entry.DeviceID
}

func (g *givers) add(code giver, device entry.DeviceID) {
	if g.codes == nil {
		g.codes, g.devices = map[entry.DeviceID]giver{}, map[giver]entry.DeviceID{}
	}
	g.codes[device], g.devices[code] = code, device
	g.last = max(g.last, code)
}

// unknownGiver is the number of no device.
const unknownGiver = ^giver(0)

// giverOf is the number of a device, unknownGiver if it has none yet.
func (t *tx) giverOf(d entry.DeviceID) giver {
	if d == "" {
		return 0
	}
	if c, ok := t.v.givers.codes[d]; ok {
		return c
	}
	if c, ok := t.givers.codes[d]; ok {
		return c
	}
	return unknownGiver
}

func giverKey(g giver) []byte { return binary.BigEndian.AppendUint16(nil, uint16(g)) }

// giver is the number of a device, a new one if it has none.
func (t *tx) giver(d entry.DeviceID) (giver, error) {
	if c := t.giverOf(d); c != unknownGiver {
		return c, nil
	}
	code := max(t.v.givers.last, t.givers.last) + 1
	if len(d) > maxDevice || code == unknownGiver {
		return 0, fmt.Errorf("%w: device %q: its name is too long, or there are too many", ErrRefused, d)
	}
	t.learn(code, d)
	return code, t.tables.givers.put(giverKey(code), []byte(d))
}

// learn notes a number that a row stands for, or is about to.
func (t *tx) learn(code giver, d entry.DeviceID) {
	t.givers.add(code, d)
	t.givers.added = append(t.givers.added, named{code, d})
}

func (t *tx) deviceOf(g giver) entry.DeviceID {
	if d, ok := t.v.givers.devices[g]; ok {
		return d
	}
	return t.givers.devices[g]
}

// doubts tells whether the gifts of a device are not to be relied on.
func (t *tx) doubts(d entry.DeviceID) bool {
	t.v.mu.Lock()
	defer t.v.mu.Unlock()
	return t.v.doubted[d]
}

func (v *Vault) deviceOf(g giver) entry.DeviceID {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.givers.devices[g]
}
