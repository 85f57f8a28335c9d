package doctor

import "slices"

// rule finds a cause, if the facts show it.
type rule func(*Network, *Device) (Finding, bool)

// rules are asked in this order: what is certain before what is likely, and
// what a person can change before what can only be waited for.
var rules = []rule{
	ruleConnected, rulePaused, ruleTurnedAway, ruleAnswers, ruleNoNetwork, ruleHeard, ruleBlockedHere,
	ruleThrough, ruleSeen, ruleNoAddress, ruleRunsNot, ruleReused, rulePublished, ruleElsewhere, ruleForbidden, ruleOff,
}

// Diagnose says what is the matter with one device.
func Diagnose(n *Network, d *Device) Finding {
	told := *d
	told.Tries = telling(d.Tries)
	d = &told
	for _, r := range rules {
		if f, ok := r(n, d); ok {
			return f
		}
	}
	return Finding{Code: Off, Message: "not connected, for no cause that shows" + d.seen(n.Now), Hint: isItUp(d)}
}

func ruleConnected(_ *Network, d *Device) (Finding, bool) {
	if !d.Connected {
		return Finding{}, false
	}
	switch {
	case d.Talks:
		return Finding{OK: true, Code: Connected, Message: "connected: " + d.How}, true
	case d.Trouble == OtherVersion:
		return Finding{
			Code: Version, Message: "connected, but the two devices run versions of kith that do not understand each other",
			Hint: "put the same version on both: kith version tells which it is",
		}, true
	case d.Trouble == NotPairedThere:
		return turnedAway(d, "on"), true
	}
	return Finding{
		Code: Silent, Message: "connected (" + d.How + "), but it does not answer what kith asks",
		Hint: "it may be busy or about to stop; if this lasts, restart kith on " + d.Name + ", and see that both run the same version",
	}, true
}

func rulePaused(_ *Network, d *Device) (Finding, bool) {
	return Finding{Code: Paused, Message: "not connected, because it is paused here", Hint: d.Resume}, d.Paused
}

func ruleTurnedAway(_ *Network, d *Device) (Finding, bool) {
	if t := d.with(TurnedAway); len(t) > 0 {
		return turnedAway(d, "on, and answers at "+addrs(t)), true
	}
	return Finding{}, false
}

func turnedAway(d *Device, how string) Finding {
	return Finding{
		Code: TurnsAway, Message: "it is " + how + ", but wants nothing of this device: it was revoked or forgotten there, is paused there, or comes from beyond the network that the other one is to stay within",
		Hint: "look at kith devices on " + d.Name + ": if this device is paused, kith resume; if kith config there has lan-only, switch that off; if it is not listed, pair them again with kith pair",
	}
}

func ruleAnswers(_ *Network, d *Device) (Finding, bool) {
	t := d.with(Answers)
	return Finding{
		Code: AnswersNow, Message: "it answers at " + addrs(t) + ", but no connection has come about yet",
		Hint: "look again in a minute; if this lasts, restart kith on both devices",
	}, len(t) > 0
}

func ruleNoNetwork(n *Network, d *Device) (Finding, bool) {
	if len(n.Networks) > 0 || len(d.at(Here)) > 0 {
		return Finding{}, false
	}
	return Finding{
		Code: NoNetwork, Message: "not reachable, because this machine is on no network" + d.seen(n.Now),
		Hint: "switch Wi-Fi on, or plug in the cable",
	}, true
}

// ruleHeard is for a device whose announcements arrive, though nothing else
// does.
func ruleHeard(_ *Network, d *Device) (Finding, bool) {
	if !d.Heard {
		return Finding{}, false
	}
	near := d.at(Near, Here)
	refused, lost := d.with(Refused), d.with(TimedOut)
	switch {
	case len(near) == 0:
		return Finding{}, false
	case len(pick(near, TimedOut)) == 0 && len(refused) == 0 && len(pick(near, Unreachable)) > 0:
		return Finding{
			Code: Isolated, Message: "it announces itself on this network, but no packet finds it at " + addrs(pick(near, Unreachable)) + ": the network keeps its devices apart",
			Hint: "switch client isolation (AP isolation) off in the Wi-Fi router, or leave its guest network",
		}, true
	case len(lost) > 0 && len(refused) == 0:
		return Finding{
			Code: Firewall, Message: "it announces itself on this network, but does not answer at " + addrs(lost) + ": a firewall on it, or a network that keeps its devices apart",
			Hint: "on " + d.Name + " let " + ports(lost) + " in; if it does already, switch client isolation (AP isolation) off in the Wi-Fi router",
		}, true
	case len(refused) > 0:
		return Finding{
			Code: Firewall, Message: "it announces itself on this network, but connections to " + addrs(refused) + " are refused: a firewall, or kith has just been stopped there",
			Hint: "on " + d.Name + " let " + ports(refused) + " in, and see that kith runs: kith status",
		}, true
	}
	return Finding{}, false
}

func ruleBlockedHere(_ *Network, d *Device) (Finding, bool) {
	t := d.with(Forbidden)
	return Finding{
		Code: BlockedHere, Message: "this machine does not let kith send to " + addrs(t) + ": a firewall or a sandbox here",
		Hint: "let kith connect to others, by TCP and by UDP",
	}, len(t) > 0
}

// ruleThrough is for a device that was last reached through another one, which
// does not lead to it any more. What else is not found of it says nothing then:
// it may well be on.
func ruleThrough(n *Network, d *Device) (Finding, bool) {
	by := d.Through
	nextDoor := pick(d.at(Here, Near), Refused, HungUp, NotKith) // its machine is, for all that is known
	if by.Name == "" || n.LANOnly || n.Discovery == "off" || len(nextDoor) > 0 {
		return Finding{}, false
	}
	lead := ""
	if len(d.SeenBy) > 0 {
		lead = d.isOn()
	}
	lead += "it was reached through " + by.Name
	end := d.seen(n.Now)
	if lost := d.with(TimedOut, Unreachable, NoRoute); len(lost) > 0 {
		end = "; nobody answers directly at " + addrs(lost) + end
	}
	refused, silent := d.relays()
	switch {
	case by.Away:
		f := Finding{Code: RelayGone, Message: lead + ", which is not connected" + end, Hint: "see to " + by.Name + " first: kith doctor " + by.Name}
		if len(d.SeenBy) == 0 {
			f.Hint += "; whether " + d.Name + " is on shows when that one is back"
		}
		return f, true
	case slices.Contains(refused, by.Name):
		return relayRefused(d, lead+"; but ", refused), true
	case by.Serves:
		return Finding{}, false
	}
	return n.noWay(Finding{
		Message: lead + ", which does not relay for this device any more, and " + otherRelays(silent) + end,
		Hint: "see on " + by.Name + " that it relays (kith config set relay on), and that kith devices there lists this device and " + d.Name +
			"; or pair both with another one that has a public address",
	}), true
}

// noWay gives a finding the code for what has no way to it, from this network.
func (n *Network) noWay(f Finding) Finding {
	f.Code = NoWay
	if n.symmetric() {
		f.Code = HardNAT
	}
	return f
}

// otherRelays says what other devices do that could lead there.
func otherRelays(silent []string) string {
	if len(silent) == 0 {
		return "no connected device relays"
	}
	return list(silent) + ", which could relay, has no connection with it"
}

// ruleSeen is for a device that another one is in touch with right now: it is
// on, and it is the way that is missing.
func ruleSeen(n *Network, d *Device) (Finding, bool) {
	if len(d.SeenBy) == 0 {
		return Finding{}, false
	}
	on := d.isOn()
	switch {
	case n.LANOnly:
		return Finding{
			Code: OnlyLAN, Message: on + "it is not on this network, and this device is told to stay on its own",
			Hint: "bring both to one network, or on this device: kith config set lan-only false",
		}, true
	case n.Discovery == "off":
		return Finding{Code: OffDiscovery, Message: on + "it is not on this network, and nothing beyond it is tried", Hint: switchOn}, true
	}
	refused, silent := d.relays()
	switch {
	case len(refused) > 0:
		return relayRefused(d, on, refused), true
	case n.symmetric():
		return Finding{
			Code: HardNAT, Message: on + "the router of this network gives each connection another address, so no direct way can be punched, and no device relays" + also(silent),
			Hint: "let a device with a public address relay: kith config set relay on there, and pair it with both",
		}, true
	}
	return Finding{
		Code: NoWay, Message: on + "no direct way to it works, and no device that both are paired with relays",
		Hint: "let a device with a public address relay: kith config set relay on there, and pair it with both",
	}, true
}

func relayRefused(d *Device, on string, refused []string) Finding {
	return Finding{
		Code: RelayRefused, Message: on + "no direct way to it works, and " + list(refused) + " will not relay between the two",
		Hint: "a device relays between those that it is paired with: see on " + refused[0] + " that " + d.Name + " is listed by kith devices, and not paused",
	}
}

func ruleNoAddress(n *Network, d *Device) (Finding, bool) {
	if len(d.at(Here, Near, Away, Public)) > 0 {
		return Finding{}, false
	}
	seen := d.seen(n.Now)
	switch {
	case d.Lookup.Error != "":
		return Finding{
			Code: BoardDown, Message: "not found: it is not on this network, and the rendezvous could not be asked for it: " + d.Lookup.Error + seen,
			Hint: "see what is said about the rendezvous; " + isItUp(d),
		}, true
	case d.Lookup.Done && d.Lookup.Found == 0:
		return Finding{
			Code: NotFound, Message: "not found: nobody on this network announces it, and it has told the rendezvous nothing since yesterday" + seen,
			Hint: isItUp(d) + "; is discovery switched on there too?",
		}, true
	case !n.MDNS:
		return Finding{
			Code: OffMDNS, Message: "no address of it is known, and it is not looked for on this network, as mdns is off here" + seen,
			Hint: "kith config set mdns true, here and there",
		}, true
	case n.Others == 0:
		return Finding{
			Code: NoMDNS, Message: "no address of it is known, and nobody at all answers on this network" + seen,
			Hint: noMulticast + "; or give its address: kith pair CODE --at ADDRESS",
		}, true
	}
	return Finding{
		Code: NoAddress, Message: "no address of it is known, and it is not among those that answer on this network" + seen,
		Hint: isItUp(d) + ", and on this network?" + orAnywhere(n),
	}, true
}

func ruleRunsNot(n *Network, d *Device) (Finding, bool) {
	t := d.with(Refused, HungUp, NotKith)
	switch {
	case len(t) == 0:
		return Finding{}, false
	case len(pick(t, Refused)) > 0:
		return Finding{
			Code: NotRunning, Message: "the machine at " + addrs(pick(t, Refused)) + " is on, but no kith listens there" + d.seen(n.Now),
			Hint: "start it on " + d.Name + ": kith up. If it runs, its address may now be another machine's, or a firewall refuses",
		}, true
	}
	return Finding{
		Code: NotRunning, Message: "what takes connections at " + addrs(t) + " does not speak as kith does" + d.seen(n.Now),
		Hint: "start kith on " + d.Name + " (kith up), or restart it if it hangs; the address may now be another machine's",
	}, true
}

func ruleReused(n *Network, d *Device) (Finding, bool) {
	t := d.with(OtherDevice)
	if len(t) == 0 {
		return Finding{}, false
	}
	who := "another device of kith"
	if t[0].Other != "" {
		who = t[0].Other
	}
	return Finding{
		Code: AddressReused, Message: "at " + addrs(t) + ", where it was, " + who + " answers: it has another address by now, or is off" + d.seen(n.Now),
		Hint: isItUp(d) + ", and on this network?" + orAnywhere(n),
	}, true
}

// rulePublished is for a device that has told the rendezvous where it is, two
// days ago at most, and does not answer there.
func rulePublished(n *Network, d *Device) (Finding, bool) {
	lost := pick(d.at(Away, Public), TimedOut, Unreachable, NoRoute)
	if d.Lookup.Found == 0 || len(lost) == 0 {
		return Finding{}, false
	}
	refused, silent := d.relays()
	if len(refused) > 0 {
		return relayRefused(d, "it has told the rendezvous where it is; but ", refused), true
	}
	return n.noWay(Finding{
		Message: "it has told the rendezvous where it is, but does not answer at " + addrs(lost) +
			": it is off by now, or the routers on both sides keep it out, and " + otherRelays(silent) + d.seen(n.Now),
		Hint: isItUp(d) + "? If so, pair it and this device with one that has a public address, and let that one relay",
	}), true
}

// ruleElsewhere is for a device of which only addresses of another network are
// known.
func ruleElsewhere(n *Network, d *Device) (Finding, bool) {
	away := d.at(Away)
	if len(away) == 0 || len(d.at(Here, Near)) > 0 || len(d.at(Public)) > len(pick(d.at(Public), NotTried)) {
		return Finding{}, false
	}
	where := ""
	if len(n.Networks) > 0 {
		where = " (this one is on " + networks(n.Networks) + ")"
	}
	f := Finding{
		Code: WrongNetwork, Message: "it was last at " + addrs(away) + ", in a network that this device is not on" + where + d.seen(n.Now),
		Hint: "bring both to one network" + orAnywhere(n),
	}
	if d.Lookup.Error != "" {
		f.Hint = "bring both to one network; beyond it the rendezvous could not be asked: " + d.Lookup.Error
	} else if d.Lookup.Done && d.Lookup.Found == 0 {
		f.Hint = isItUp(d) + "; is discovery switched on there too? The rendezvous has nothing of it"
	}
	return f, true
}

func ruleForbidden(n *Network, d *Device) (Finding, bool) {
	t := pick(d.at(Public, Away), NotTried)
	switch {
	case len(t) == 0 || len(d.at(Here, Near)) > 0:
		return Finding{}, false
	case n.LANOnly:
		return Finding{
			Code: OnlyLAN, Message: "it was last at " + addrs(t) + ", beyond the local network, where this device is told not to go" + d.seen(n.Now),
			Hint: "kith config set lan-only false",
		}, true
	}
	return Finding{
		Code: OffDiscovery, Message: "it was last at " + addrs(t) + ", and nothing beyond the local network is tried while discovery is off" + d.seen(n.Now), Hint: switchOn,
	}, true
}

func ruleOff(n *Network, d *Device) (Finding, bool) {
	t := d.with(TimedOut, Unreachable, NoRoute)
	if len(t) == 0 {
		return Finding{}, false
	}
	f := Finding{Code: Off, Message: "nobody answers at " + addrs(t) + ": it is off or asleep, or somewhere else" + d.seen(n.Now), Hint: isItUp(d)}
	switch {
	case n.MDNS && n.Others == 0 && n.Missing:
		f.Hint += "? And this network carries no multicast, so that a new address of it would not show"
	case d.Lookup.Error != "":
		f.Hint += "? The rendezvous could not be asked where it is now: " + d.Lookup.Error
	case d.Lookup.Done && d.Lookup.Found == 0:
		f.Hint += "? The rendezvous has nothing of it either"
	default:
		f.Hint += orAnywhere(n)
	}
	return f, true
}
