package storytest

import (
	"testing"
	"time"
)

// TestTwoDevicesInDifferentHomesPair has both paired with one server, and one of
// them show a ticket, or a code with a long number. Who has that needs nothing
// else.
func TestTwoDevicesInDifferentHomesPair(t *testing.T) {
	t.Parallel()
	for how, c := range map[string]struct {
		flags []string
		told  func(invitation) string
	}{
		"by a ticket alone":                {nil, func(i invitation) string { return i.Ticket }},
		"by a code that is found by a DHT": {[]string{"--anywhere"}, func(i invitation) string { return i.Code }},
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			a := newStrangers(t, cone, symmetric)
			a.away.plug(a.phone.net)
			for _, d := range []*device{a.laptop, a.phone} {
				d.goes(a.server, patience, "direct")
			}
			a.server.relays()
			s := a.show(c.flags...)
			told := c.told(s.invitation)
			if told == "" {
				t.Fatalf("not told: %+v", s.invitation)
			}
			begun := time.Now()
			a.phone.do(nil, append(append([]string{"pair"}, c.flags...), told)...)
			t.Logf("paired after %.1f s", time.Since(begun).Seconds())
			a.set(s)
			a.plant(a.laptop, 1<<20)
			sameInTheEnd(t, a.laptop, a.phone, time.Minute)
			a.unknownToServer()
		})
	}
}
