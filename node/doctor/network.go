package doctor

import (
	"fmt"
	"slices"
	"time"
)

// Survey says how this device stands in its networks: one finding for each
// thing that was looked at. What only makes things harder (a router that lets
// nothing in, nobody to relay) is told and is not wrong, nor is what is lacking
// while nobody is missed.
func Survey(n *Network) []Finding {
	out := []Finding{n.lan()}
	if len(n.Networks) > 0 {
		out = append(out, n.multicast())
	}
	out = append(out, n.port())
	if f, ok := n.inbound(); ok {
		out = append(out, f)
	}
	out = append(out, n.beyond())
	if len(n.Board.Entries) > 0 {
		out = append(out, Finding{OK: true, Code: BoardEntry, Message: "other devices can enter the rendezvous here: kith config set bootstrap " + n.Board.Entries[0]})
	}
	if n.Discovery != "off" && !n.LANOnly {
		if f, ok := n.nat(); ok {
			out = append(out, f)
		}
		out = append(out, n.relay())
		switch {
		case n.Relaying:
			out = append(out, Finding{OK: true, Code: RelayServes, Message: "this device relays between those that it is paired with"})
		case n.Relay == "off":
			out = append(out, Finding{OK: true, Code: RelayOff, Message: "this device relays for no other: relay is off", Hint: "kith config set relay auto"})
		}
	}
	if n.Clock.Behind > 0 {
		out = append(out, Finding{
			Code: ClockBack, Message: fmt.Sprintf("the clock of this device is at least %s behind: it has seen later times before", n.Clock.Behind.Round(time.Minute)),
			Hint: "set the clock: times are misleading, and the rendezvous is asked for the wrong day",
		})
	}
	return out
}

func (n *Network) lan() Finding {
	if len(n.Networks) == 0 {
		return Finding{OK: !n.Missing, Code: NoNetwork, Message: "this machine is on no network", Hint: "switch Wi-Fi on, or plug in the cable"}
	}
	return Finding{OK: true, Code: OnNetwork, Message: "on " + networks(n.Networks)}
}

func (n *Network) multicast() Finding {
	switch {
	case !n.MDNS:
		return Finding{
			OK: !n.Missing, Code: OffMDNS, Message: "devices on the local network are not looked for: mdns is off", Hint: "kith config set mdns true",
		}
	case !n.Joined && n.Failure != "":
		return Finding{
			OK: !n.Missing, Code: LANDeaf, Message: "devices on the local network cannot be looked for: " + n.Failure,
			Hint: "another program may hold UDP port 5353 for itself alone",
		}
	case !n.Joined:
		return Finding{OK: !n.Missing, Code: LANDeaf, Message: "no network of this machine carries multicast, so nobody is found there", Hint: "is Wi-Fi switched on, or the cable plugged in?"}
	case n.Others > 0:
		return Finding{OK: true, Code: LANWorks, Message: fmt.Sprintf("%s on the local network can be heard", plural(n.Others, "other machine"))}
	case n.Own == 0:
		return Finding{
			OK: !n.Missing, Code: LANDeaf, Message: "nothing is heard on the local network, not even what this device says itself",
			Hint: "a firewall here drops UDP port 5353: let multicast DNS (224.0.0.251 and ff02::fb) pass",
		}
	}
	return Finding{
		OK: !n.Missing, Code: LANSilent, Message: "nobody else is heard on the local network", Hint: "no other device is on it, or " + noMulticast,
	}
}

func (n *Network) port() Finding {
	if len(n.Ports) == 0 {
		return Finding{Code: NoAddress, Message: "this device listens nowhere, so no other can reach it", Hint: "see --listen of kith up"}
	}
	for _, p := range n.Wanted {
		if p != 0 && !slices.Contains(n.Ports, p) {
			return Finding{
				Code: PortTaken, Message: fmt.Sprintf("port %d was another program's when kith started, so this device listens at %s", p, portWord(n.Ports)),
				Hint: "stop the other program (a second kith?) and restart kith: firewalls and other devices know the usual port",
			}
		}
	}
	return Finding{OK: true, Code: Listens, Message: "listening at " + portWord(n.Ports)}
}

func portWord(ports []uint16) string {
	if len(ports) == 1 {
		return "port " + portList(ports)
	}
	return "ports " + portList(ports)
}

func portList(ports []uint16) string {
	var out []string
	for _, p := range ports {
		if s := fmt.Sprint(p); !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return list(out)
}

// inbound says whether others can connect to this device, as far as any has
// tried.
func (n *Network) inbound() (Finding, bool) {
	var ok, no []string
	for _, p := range n.Inbound {
		to := &no
		if p.OK {
			to = &ok
		}
		if !slices.Contains(*to, p.By) {
			*to = append(*to, p.By)
		}
	}
	switch {
	case len(ok) > 0:
		return Finding{OK: true, Code: Listens, Message: "it can be reached from outside: " + list(ok) + " could"}, true
	case len(no) == 0:
		return Finding{}, false
	}
	return Finding{
		OK: true, Code: PortClosed, Message: list(no) + " cannot connect to this device, only the other way round: a firewall here, or a router that lets nothing in",
		Hint: "let TCP and UDP port " + portList(n.Ports) + " in, or kith config set port-mapping true if the router is yours",
	}, true
}

func (n *Network) beyond() Finding {
	b := n.Board
	switch {
	case n.LANOnly:
		return Finding{OK: true, Code: OnlyLAN, Message: "nothing beyond the local network is used: lan-only is set"}
	case n.Discovery == "off" || n.Discovery == "":
		return Finding{OK: true, Code: OffDiscovery, Message: "devices are found on the local network only: discovery is off", Hint: switchOn}
	case b.Nodes == 0 && b.DNS:
		return Finding{
			Code: BoardDNS, Message: "the rendezvous is not reached: the names of its first nodes cannot be looked up",
			Hint: "is this machine on the internet, and does its DNS work?",
		}
	case b.Nodes == 0 && b.Failed != "":
		return Finding{
			Code: BoardAway, Message: "the rendezvous is not reached: " + b.Failed,
			Hint: "is this machine on the internet? A firewall may forbid it; bootstrap in kith config says where it is begun",
		}
	case b.Nodes == 0:
		return Finding{
			Code: BoardEmpty, Message: "the rendezvous is empty: no node of it is known",
			Hint: bootstrapHint(n.Discovery),
		}
	case b.Refused != "":
		return Finding{
			Code: BoardPut, Message: "the rendezvous does not take in where this device is: " + b.Refused, Hint: "this is tried again by itself; others may not find this device until then",
		}
	}
	text := fmt.Sprintf("the %s rendezvous works: %s in touch", n.Discovery, plural(b.Nodes, "node"))
	if !b.Published.IsZero() {
		text += ", where this device is was last told " + ago(n.Now.Sub(b.Published))
	}
	return Finding{OK: true, Code: Discovers, Message: text}
}

func bootstrapHint(mode string) string {
	if mode == "private" {
		return "switch discovery private on on a device that others can reach; kith doctor there tells the address to give here: kith config set bootstrap ADDRESS"
	}
	return "is this machine on the internet?"
}

func (n *Network) nat() (Finding, bool) {
	switch {
	case n.symmetric():
		return Finding{
			OK: true, Code: NATKind, Message: "the router of this network gives each connection another address (symmetric NAT): no direct way can be punched through it",
			Hint: "other devices behind such a router are reached through a relay only; a port mapping helps: kith config set port-mapping true",
		}, true
	case len(n.Mirrors) > 1:
		return Finding{OK: true, Code: NATFriendly, Message: "seen from outside at " + n.Mirrors[0].Addr.String()}, true
	case len(n.Mirrors) == 1:
		return Finding{OK: true, Code: SeenOutside, Message: n.Mirrors[0].By + " sees this device at " + n.Mirrors[0].Addr.String()}, true
	}
	return Finding{}, false
}

func (n *Network) relay() Finding {
	var granted, serving, refused []string
	why := ""
	for _, r := range n.Relays {
		switch {
		case r.Granted:
			granted = append(granted, r.Name)
		case r.Refusal != "":
			refused, why = append(refused, r.Name), r.Refusal
		case r.Serves:
			serving = append(serving, r.Name)
		}
	}
	switch {
	case len(granted) > 0:
		return Finding{OK: true, Code: RelayReady, Message: "others can reach this device through " + list(granted)}
	case len(refused) > 0:
		return Finding{
			OK: !n.Missing, Code: RelayDenied, Message: list(refused) + " will not relay for this device: " + why,
			Hint: "see relay in kith config there: auto or on",
		}
	case len(serving) > 0:
		return Finding{OK: true, Code: RelayReady, Message: list(serving) + " can relay for this device"}
	}
	return Finding{
		OK: true, Code: RelayNone, Message: "no connected device relays for this one",
		Hint: "where no direct way works, a paired device with a public address helps: kith config set relay on there",
	}
}

func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
