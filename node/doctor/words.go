package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

const (
	// switchOn is how two devices find each other beyond one network.
	switchOn = "let both find each other anywhere: kith config set discovery public (or private) on both"

	noMulticast = "the network filters multicast (guest Wi-Fi often does), or a firewall UDP port 5353"

	maxShown = 3 // addresses or networks of one sentence
)

func isItUp(d *Device) string { return "is kith up on " + d.Name }

// orAnywhere is what else helps, where discovery is off; it ends a question.
func orAnywhere(n *Network) string {
	switch {
	case n.Discovery != "off" && n.Discovery != "" || n.LANOnly:
		return ""
	}
	return "; or " + switchOn
}

// telling leaves out tries by UDP that came to nothing where TCP says more of
// the same machine: systems do not tell by UDP that nobody is there.
func telling(all []Try) []Try {
	host := func(t Try) string { return strings.TrimSuffix(t.Addr, ":"+t.Port) }
	return slices.DeleteFunc(slices.Clone(all), func(u Try) bool {
		return u.Via == "quic" && u.Outcome == TimedOut && slices.ContainsFunc(all, func(t Try) bool {
			return t.Via == "tcp" && host(t) == host(u) && t.Outcome != TimedOut && t.Outcome != NotTried
		})
	})
}

// with are the tries that ended in one of these ways, of its own addresses.
func (d *Device) with(these ...Outcome) (out []Try) {
	for _, t := range d.Tries {
		if t.Place != Behind && slices.Contains(these, t.Outcome) || t.Place == Behind && t.Outcome == TurnedAway && slices.Contains(these, TurnedAway) {
			out = append(out, t)
		}
	}
	return out
}

// at are the tries of addresses that lie there.
func (d *Device) at(places ...Place) (out []Try) {
	for _, t := range d.Tries {
		if slices.Contains(places, t.Place) {
			out = append(out, t)
		}
	}
	return out
}

// relays are the devices that refused to relay to it, and those that had no
// connection with it.
func (d *Device) relays() (refused, silent []string) {
	for _, t := range d.at(Behind) {
		switch t.Outcome {
		case Refused:
			refused = append(refused, t.Via)
		case Unreachable, TimedOut:
			silent = append(silent, t.Via)
		}
	}
	return refused, silent
}

func pick(all []Try, these ...Outcome) (out []Try) {
	for _, t := range all {
		if slices.Contains(these, t.Outcome) {
			out = append(out, t)
		}
	}
	return out
}

// addrs are the addresses of tries, each once: "10.0.0.5:5484 and 10.0.0.6:5484".
// Several ports of one machine are not told apart.
func addrs(tries []Try) string {
	ports := map[string][]string{}
	var hosts []string
	for _, t := range tries {
		host := strings.TrimSuffix(t.Addr, ":"+t.Port)
		if !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
		if !slices.Contains(ports[host], t.Addr) {
			ports[host] = append(ports[host], t.Addr)
		}
	}
	out := make([]string, 0, len(hosts))
	for _, h := range hosts {
		if len(ports[h]) == 1 {
			h = ports[h][0]
		}
		out = append(out, h)
	}
	return list(out)
}

// ports are what a firewall is to let in: "TCP and UDP port 5484".
func ports(tries []Try) string {
	var out []string
	for _, t := range tries {
		if t.Port != "" && !slices.Contains(out, t.Port) {
			out = append(out, t.Port)
		}
	}
	if len(out) != 1 {
		return "the TCP and UDP ports of kith (kith doctor there tells which)"
	}
	return "TCP and UDP port " + out[0]
}

func networks(all []netip.Prefix) string {
	var out []string
	for _, p := range all {
		if p.Addr().Is4() || len(all) == 1 {
			out = append(out, p.String())
		}
	}
	if len(out) == 0 {
		out = []string{all[0].String()}
	}
	return list(out)
}

// list is "a", "a and b", "a, b and c", "a, b, c and 4 more".
func list(all []string) string {
	switch {
	case len(all) == 0:
		return "nowhere"
	case len(all) == 1:
		return all[0]
	case len(all) > maxShown:
		return fmt.Sprintf("%s and %d more", strings.Join(all[:maxShown], ", "), len(all)-maxShown)
	}
	return strings.Join(all[:len(all)-1], ", ") + " and " + all[len(all)-1]
}

// isOn begins a sentence about a device that others are in touch with.
func (d *Device) isOn() string {
	return "it is on: " + list(d.SeenBy) + isAre(d.SeenBy) + "connected with it; but "
}

func isAre(all []string) string {
	if len(all) == 1 {
		return " is "
	}
	return " are "
}

func also(silent []string) string {
	if len(silent) == 0 {
		return ""
	}
	return " (" + list(silent) + " has no connection with it)"
}

// seen is when it was there last, as the end of a sentence.
func (d *Device) seen(now time.Time) string {
	if d.LastSeen.IsZero() {
		return "; it was never connected"
	}
	return "; last seen " + ago(now.Sub(d.LastSeen))
}

func ago(t time.Duration) string {
	switch {
	case t < time.Minute:
		return "just now"
	case t < 2*time.Hour:
		return fmt.Sprintf("%d min ago", int(t.Minutes()))
	case t < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(t.Hours()))
	}
	return fmt.Sprintf("%d d ago", int(t.Hours())/24)
}

// symmetric tells whether this network's router gives each connection another
// address: two devices see this one at the same IP address with other ports.
func (n *Network) symmetric() bool {
	for _, a := range n.Mirrors {
		for _, b := range n.Mirrors {
			if a.By != b.By && a.Addr.Addr() == b.Addr.Addr() && a.Addr.Port() != b.Addr.Port() {
				return true
			}
		}
	}
	return false
}
