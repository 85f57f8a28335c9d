package exchange

import (
	"cmp"
	"slices"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/proto/wirepb"
)

// Contact is what a teller knows of the whereabouts of another member. None of
// it is proven.
type Contact struct {
	Device entry.DeviceID
	Name   string // 1 to 64 bytes
	// Addresses are multiaddrs in text form, the likeliest first: at most
	// [MaxContactAddresses] of 1 to 256 bytes. The listener has yet to parse
	// them.
	Addresses []string
	// LastSeen is when the teller was last connected with it, in seconds; zero
	// for never. Each change of it is told: whoever fills it in rounds it.
	LastSeen  time.Time
	Connected bool // with the teller, now
}

func (c *Contact) check() error {
	if err := nameFromWire("device ID", string(c.Device), maxDevice); err != nil {
		return err
	}
	if err := nameFromWire("contact name", c.Name, maxName); err != nil {
		return err
	}
	if len(c.Addresses) > MaxContactAddresses {
		return refuse("%d addresses", len(c.Addresses))
	}
	for _, a := range c.Addresses {
		if err := nameFromWire("address", a, maxAddress); err != nil {
			return err
		}
	}
	if s := c.seen(); s > maxSeen {
		return refuse("last seen at %d", s)
	}
	return nil
}

// seen is LastSeen in seconds since 1970; a time before is none.
func (c *Contact) seen() uint64 { return uint64(max(c.LastSeen.Unix(), 0)) }

// contactsToWire takes what a message can carry: of too many addresses the
// first, of too many contacts those that were seen last.
func contactsToWire(contacts []Contact) *wirepb.Contacts {
	var sayable []Contact
	for _, c := range contacts {
		c.Addresses = slices.DeleteFunc(slices.Clone(c.Addresses), func(a string) bool {
			return nameFromWire("address", a, maxAddress) != nil
		})
		c.Addresses = c.Addresses[:min(len(c.Addresses), MaxContactAddresses)]
		if c.check() == nil {
			sayable = append(sayable, c)
		}
	}
	slices.SortFunc(sayable, sooner)
	sayable = sayable[:min(len(sayable), MaxContacts)]
	// In an order of their own, so that a message changes only with what it says.
	slices.SortStableFunc(sayable, func(a, b Contact) int { return cmp.Compare(a.Device, b.Device) })
	sayable = slices.CompactFunc(sayable, func(a, b Contact) bool { return a.Device == b.Device })
	m := &wirepb.Contacts{}
	for _, c := range sayable {
		m.Contacts = append(m.Contacts, &wirepb.Contact{
			Device: string(c.Device), Name: c.Name, Addresses: c.Addresses, LastSeen: c.seen(), Connected: c.Connected,
		})
	}
	return m
}

// sooner puts those first that are the most worth telling of.
func sooner(a, b Contact) int {
	switch {
	case a.Connected && !b.Connected:
		return -1
	case b.Connected && !a.Connected:
		return 1
	}
	return cmp.Or(b.LastSeen.Compare(a.LastSeen), cmp.Compare(a.Device, b.Device))
}

func contactsFromWire(m *wirepb.Contacts) ([]Contact, error) {
	if len(m.GetContacts()) > MaxContacts {
		return nil, refuse("%d contacts", len(m.GetContacts()))
	}
	var out []Contact
	met := map[entry.DeviceID]bool{}
	for _, w := range m.GetContacts() {
		c := Contact{
			Device: entry.DeviceID(w.GetDevice()), Name: w.GetName(), Addresses: w.GetAddresses(), Connected: w.GetConnected(),
		}
		if w.GetLastSeen() > maxSeen {
			return nil, refuse("last seen at %d", w.GetLastSeen())
		}
		if w.GetLastSeen() > 0 {
			c.LastSeen = time.Unix(int64(w.GetLastSeen()), 0).UTC()
		}
		if err := c.check(); err != nil {
			return nil, err
		}
		if met[c.Device] {
			return nil, refuse("two contacts for device %s", c.Device)
		}
		met[c.Device] = true
		out = append(out, c)
	}
	return out, nil
}
