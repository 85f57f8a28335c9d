package exchange

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kithmesh/kith/index/entry"
)

func contactOf(name string) Contact {
	return Contact{
		Device: entry.DeviceID("device of " + name), Name: name, Addresses: []string{"/ip4/192.0.2.1/tcp/1", "/ip6/::1/tcp/2"},
		LastSeen: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC),
	}
}

func TestContactsAreToldWhenTheyDifferFromThoseToldBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book, ear := newBook(t, 10), &fakeEar{}
		anna, ben := contactOf("anna"), contactOf("ben")
		teller, _, stop := pairUp(t, book, ear)
		defer stop()
		wake := func(contacts ...Contact) {
			book.change(func() { book.news.Contacts = contacts })
			teller.Wake()
			synctest.Wait()
		}
		synctest.Wait()
		wake()
		wake(anna, ben)
		wake(ben, anna) // in any order
		ben.LastSeen = ben.LastSeen.Add(time.Millisecond)
		wake(anna, ben) // the wire carries seconds
		ben.LastSeen = ben.LastSeen.Add(time.Second)
		wake(anna, ben)
		anna.Connected = true
		wake(anna, ben)
		anna.Addresses = []string{anna.Addresses[1], anna.Addresses[0]} // the likeliest first
		wake(anna, ben)
		wake(anna)
		wake(anna)
		wake()
		wake()
		wantEvents(t, ear, "met laptop", "folders", "offers", "contacts anna ben", "contacts anna ben", "contacts anna ben",
			"contacts anna ben", "contacts anna", "contacts")
	})
}

func TestAContactArrivesAsItWasTold(t *testing.T) {
	never := contactOf("carl")
	never.LastSeen, never.Addresses = time.Time{}, nil
	long := Contact{Device: "x", Name: strings.Repeat("ü", maxName/2), Connected: true, LastSeen: time.Unix(maxSeen, 0).UTC()}
	for range MaxContactAddresses {
		long.Addresses = append(long.Addresses, strings.Repeat("/", maxAddress))
	}
	want := []Contact{contactOf("anna"), never, long}
	got, err := contactsFromWire(contactsToWire(want))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v became %v: %v", want, got, err)
	}
}

// TestWhatAMessageCannotCarryOfContactsIsLeftOut rather than making the
// listener end the stream.
func TestWhatAMessageCannotCarryOfContactsIsLeftOut(t *testing.T) {
	good := contactOf("anna")
	for name, c := range map[string]struct {
		change func(*Contact)
		stays  bool
	}{
		"no device":               {func(c *Contact) { c.Device = "" }, false},
		"no name":                 {func(c *Contact) { c.Name = "" }, false},
		"a name with an escape":   {func(c *Contact) { c.Name = "\x1b[2J" }, false},
		"a time too far":          {func(c *Contact) { c.LastSeen = time.Unix(maxSeen+1, 0) }, false},
		"a time before all times": {func(c *Contact) { c.LastSeen = time.Unix(-5, 0) }, true},
		"one address too many": {func(c *Contact) {
			for i := range MaxContactAddresses {
				c.Addresses = append(c.Addresses, fmt.Sprint(i))
			}
		}, true},
		"an address too long": {func(c *Contact) { c.Addresses = append(c.Addresses, strings.Repeat("x", maxAddress+1)) }, true},
		"an empty address":    {func(c *Contact) { c.Addresses = append([]string{""}, c.Addresses...) }, true},
		"the same device":     {func(c *Contact) { c.Device = good.Device }, false},
	} {
		other := contactOf("ben")
		c.change(&other)
		got, err := contactsFromWire(contactsToWire([]Contact{good, other}))
		want := 1
		if c.stays {
			want = 2
		}
		if err != nil || len(got) != want || !reflect.DeepEqual(got[0], good) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		if c.stays && (len(got[1].Addresses) < 2 || got[1].Addresses[0] != good.Addresses[0]) {
			t.Errorf("%s: its addresses are %v", name, got[1].Addresses)
		}
	}
}

// TestOfTooManyContactsThoseSeenLastAreTold, and first those that are there.
func TestOfTooManyContactsThoseSeenLastAreTold(t *testing.T) {
	var all []Contact
	for i := range MaxContacts + 10 {
		c := contactOf(fmt.Sprint(i))
		c.LastSeen = c.LastSeen.Add(time.Duration(i) * time.Minute)
		c.Connected = i == 3
		all = append(all, c)
	}
	got, err := contactsFromWire(contactsToWire(all))
	if err != nil || len(got) != MaxContacts {
		t.Fatalf("%d contacts: %v", len(got), err)
	}
	told := map[string]bool{}
	for _, c := range got {
		told[c.Name] = true
	}
	for i := range all {
		if want := i == 3 || i >= 11; told[fmt.Sprint(i)] != want {
			t.Errorf("contact %d: told %t", i, !want)
		}
	}
}
