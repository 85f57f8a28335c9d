package config

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/multiformats/go-multiaddr"

	"github.com/kithmesh/kith/index/entry"
)

// Settings are all that can be set.
type Settings struct {
	Name           string        // of this device
	Listen         []string      // multiaddrs
	LANOnly        bool          // nothing beyond the local network
	Discovery      Discovery     // how devices find each other beyond it
	Bootstrap      []string      // multiaddrs of nodes of a private DHT
	Relay          Relay         // whether this device relays for paired ones
	PortMapping    bool          // ask the router for a port, unless Discovery is off
	UI             string        // address of the web UI, or "off"
	LogLevel       slog.Level    // least level that is logged
	RescanInterval time.Duration // between full scans of a folder
	MDNS           bool          // find and be found on the local network
	BrakeFiles     int64         // so many files, and such a share of a folder
	BrakeShare     int64         // in percent, others may take away unasked
	Metered        Metered       // whether what the network carries is paid for
	OnMetered      OnMetered     // what to do then
	OnBattery      OnBattery     // what to do on a battery
	BatteryBelow   int64         // that is charged less, in percent
}

// Discovery is how devices find each other beyond the local network.
type Discovery string

// The values of [Discovery].
const (
	DiscoveryOff     Discovery = "off"     // not: nothing leaves the local network unasked
	DiscoveryPrivate Discovery = "private" // by a DHT of paired devices alone
	DiscoveryPublic  Discovery = "public"  // by the public DHT of libp2p
)

// Relay is whether a device passes on what paired devices say to each other.
type Relay string

// The values of [Relay].
const (
	RelayAuto Relay = "auto" // if others reach it from anywhere
	RelayOn   Relay = "on"
	RelayOff  Relay = "off"
)

// Metered is whether the network is paid for by what it carries.
type Metered string

// The values of [Metered].
const (
	MeteredAuto Metered = "auto" // if the system says so
	MeteredYes  Metered = "yes"
	MeteredNo   Metered = "no"
)

// OnMetered is what to do on a metered network.
type OnMetered string

// The values of [OnMetered].
const (
	MeteredLAN   OnMetered = "lan"   // larger files by the local network only
	MeteredPause OnMetered = "pause" // nothing at all
	MeteredSync  OnMetered = "sync"  // as ever
)

// OnBattery is what to do on a battery.
type OnBattery string

// The values of [OnBattery].
const (
	BatterySync  OnBattery = "sync"  // as ever
	BatteryPause OnBattery = "pause" // nothing at all
)

// setting is one of them: how it is called, described, read and written. The
// text form is that of flags and environment variables.
type setting struct {
	name    string
	comment string
	initial func() string
	parse   func(s *Settings, text string) error
	text    func(s *Settings) string
}

// settings are in the order in which they are shown and written.
var settings = []setting{
	{
		name:    "name",
		comment: "What this device is called, for its people and its peers.",
		initial: hostName,
		parse:   func(s *Settings, text string) (err error) { s.Name, err = parseName(text); return err },
		text:    func(s *Settings) string { return s.Name },
	}, {
		name:    "listen",
		comment: "Where to listen, as multiaddrs such as /ip4/0.0.0.0/tcp/22000; port 0 is any free one. None: port 5484 on all interfaces, or another if that is taken.",
		initial: func() string { return "" },
		parse:   func(s *Settings, text string) (err error) { s.Listen, err = parseListen(text); return err },
		text:    func(s *Settings) string { return strings.Join(s.Listen, ",") },
	}, {
		name:    "lan-only",
		comment: "Whether to stay within the local network, whatever else is set.",
		initial: func() string { return "false" },
		parse:   func(s *Settings, text string) (err error) { s.LANOnly, err = parseBool(text); return err },
		text:    func(s *Settings) string { return strconv.FormatBool(s.LANOnly) },
	}, {
		name:    "discovery",
		comment: "How devices find each other beyond the local network: off, private (a DHT of your own devices), or public (that of libp2p).",
		initial: func() string { return string(DiscoveryOff) },
		parse: func(s *Settings, text string) (err error) {
			s.Discovery, err = parseChoice(text, DiscoveryOff, DiscoveryPrivate, DiscoveryPublic)
			return err
		},
		text: func(s *Settings) string { return string(s.Discovery) },
	}, {
		name:    "bootstrap",
		comment: "Where a private DHT is entered, as multiaddrs with /p2p/ID; paired devices that are reached tell each other such places.",
		initial: func() string { return "" },
		parse:   func(s *Settings, text string) (err error) { s.Bootstrap, err = parseListen(text); return err },
		text:    func(s *Settings) string { return strings.Join(s.Bootstrap, ",") },
	}, {
		name:    "relay",
		comment: "Whether this device passes on, unread, what paired devices that cannot reach each other say: auto (if it is reachable), on or off.",
		initial: func() string { return string(RelayAuto) },
		parse: func(s *Settings, text string) (err error) {
			s.Relay, err = parseChoice(text, RelayAuto, RelayOn, RelayOff)
			return err
		},
		text: func(s *Settings) string { return string(s.Relay) },
	}, {
		name:    "port-mapping",
		comment: "Whether to ask the router for a port by UPnP or NAT-PMP, unless discovery is off.",
		initial: func() string { return "true" },
		parse:   func(s *Settings, text string) (err error) { s.PortMapping, err = parseBool(text); return err },
		text:    func(s *Settings) string { return strconv.FormatBool(s.PortMapping) },
	}, {
		name:    "ui",
		comment: "Where the web page listens, on this machine only: 127.0.0.1:PORT, or off.",
		initial: func() string { return "off" },
		parse:   func(s *Settings, text string) (err error) { s.UI, err = parseUI(text); return err },
		text:    func(s *Settings) string { return s.UI },
	}, {
		name:    "log-level",
		comment: "How much to log: debug, info, warn or error.",
		initial: func() string { return "info" },
		parse:   func(s *Settings, text string) (err error) { s.LogLevel, err = parseLevel(text); return err },
		text:    func(s *Settings) string { return strings.ToLower(s.LogLevel.String()) },
	}, {
		name:    "rescan-interval",
		comment: "How often to look through whole folders for changes that went unnoticed.",
		initial: func() string { return "1h" },
		parse:   func(s *Settings, text string) (err error) { s.RescanInterval, err = parseInterval(text); return err },
		text:    func(s *Settings) string { return shortDuration(s.RescanInterval) },
	}, {
		name:    "mdns",
		comment: "Whether to find other devices, and be found, on the local network.",
		initial: func() string { return "true" },
		parse:   func(s *Settings, text string) (err error) { s.MDNS, err = parseBool(text); return err },
		text:    func(s *Settings) string { return strconv.FormatBool(s.MDNS) },
	}, {
		name:    "brake-files",
		comment: "Changes of another device that delete or rewrite so many files, and brake-share of all here, wait to be approved.",
		initial: func() string { return "100" },
		parse: func(s *Settings, text string) (err error) {
			s.BrakeFiles, err = parseWhole(text, 1, 1<<40)
			return err
		},
		text: func(s *Settings) string { return strconv.FormatInt(s.BrakeFiles, 10) },
	}, {
		name:    "brake-share",
		comment: "In percent of the files that lie here; above 100 nothing ever waits.",
		initial: func() string { return "50" },
		parse: func(s *Settings, text string) (err error) {
			s.BrakeShare, err = parseWhole(text, 1, 1000)
			return err
		},
		text: func(s *Settings) string { return strconv.FormatInt(s.BrakeShare, 10) },
	}, {
		name:    "metered",
		comment: "Whether the network is paid for by what it carries: auto (as NetworkManager says, where it runs), yes or no.",
		initial: func() string { return string(MeteredAuto) },
		parse: func(s *Settings, text string) (err error) {
			s.Metered, err = parseChoice(text, MeteredAuto, MeteredYes, MeteredNo)
			return err
		},
		text: func(s *Settings) string { return string(s.Metered) },
	}, {
		name:    "on-metered",
		comment: "What to do on a metered network: lan (files above 1 MiB go over the local network only), pause or sync.",
		initial: func() string { return string(MeteredLAN) },
		parse: func(s *Settings, text string) (err error) {
			s.OnMetered, err = parseChoice(text, MeteredLAN, MeteredPause, MeteredSync)
			return err
		},
		text: func(s *Settings) string { return string(s.OnMetered) },
	}, {
		name:    "on-battery",
		comment: "What to do while the machine runs on a battery that is charged less than battery-below: sync or pause.",
		initial: func() string { return string(BatterySync) },
		parse: func(s *Settings, text string) (err error) {
			s.OnBattery, err = parseChoice(text, BatterySync, BatteryPause)
			return err
		},
		text: func(s *Settings) string { return string(s.OnBattery) },
	}, {
		name:    "battery-below",
		comment: "In percent; 100 is always.",
		initial: func() string { return "30" },
		parse: func(s *Settings, text string) (err error) {
			s.BatteryBelow, err = parseWhole(text, 1, 100)
			return err
		},
		text: func(s *Settings) string { return strconv.FormatInt(s.BatteryBelow, 10) },
	},
}

func parseChoice[T ~string](text string, of ...T) (T, error) {
	if slices.Contains(of, T(text)) {
		return T(text), nil
	}
	return "", fmt.Errorf("%w: %q (want one of %v)", ErrSetting, text, of)
}

func parseWhole(text string, least, most int64) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%q is no whole number from %d to %d", text, least, most)
	}
	return n, nil
}

// Names are the names of all settings, in the order in which they are shown.
func Names() []string {
	out := make([]string, len(settings))
	for i := range settings {
		out[i] = settings[i].name
	}
	return out
}

// Variable is the environment variable of a setting.
func Variable(name string) string {
	return "KITH_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// Defaults are the settings of a device that nobody has set anything on.
func Defaults() Settings {
	var s Settings
	for i := range settings {
		if err := settings[i].parse(&s, settings[i].initial()); err != nil {
			panic(err) // the table above is wrong, and no test has been run
		}
	}
	return s
}

// Diff names the settings in which s and o differ.
func (s Settings) Diff(o Settings) []string {
	var out []string
	for i := range settings {
		if settings[i].text(&s) != settings[i].text(&o) {
			out = append(out, settings[i].name)
		}
	}
	return out
}

// hostName is the machine's name made fit for a device's.
func hostName() string {
	name, _ := os.Hostname()
	return cleanName(name)
}

func cleanName(host string) string {
	host, _, _ = strings.Cut(strings.ToValidUTF8(host, ""), ".")
	host = strings.TrimSpace(strings.Map(func(r rune) rune {
		if !nameRune(r) {
			return -1
		}
		return r
	}, host))
	for len(host) > entry.MaxAuthorName {
		_, n := utf8.DecodeLastRuneInString(host)
		host = strings.TrimSpace(host[:len(host)-n])
	}
	if host == "" || host == "localhost" {
		return "kith"
	}
	return host
}

// nameRune tells what may be in a device's name. Names become parts of file
// names, on every platform.
func nameRune(r rune) bool {
	return !unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control) && !strings.ContainsRune(`/\:*?"<>|`, r)
}

func parseName(text string) (string, error) {
	bad := func(r rune) bool { return !nameRune(r) }
	if text == "" || len(text) > entry.MaxAuthorName || !utf8.ValidString(text) ||
		strings.TrimSpace(text) != text || strings.ContainsFunc(text, bad) {
		return "", fmt.Errorf("%w: %q (want 1 to %d bytes on one line, without any of /\\:*?\"<>|)", ErrSetting, text, entry.MaxAuthorName)
	}
	return text, nil
}

func parseListen(text string) ([]string, error) {
	var out []string
	for addr := range strings.SplitSeq(text, ",") {
		if addr = strings.TrimSpace(addr); addr == "" {
			continue
		}
		if _, err := multiaddr.NewMultiaddr(addr); err != nil {
			return nil, fmt.Errorf("%w: %q is no multiaddr, such as /ip4/0.0.0.0/tcp/0", ErrSetting, addr)
		}
		out = append(out, addr)
	}
	return out, nil
}

func parseBool(text string) (bool, error) {
	switch text {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, fmt.Errorf("%w: %q (want true or false)", ErrSetting, text)
}

// parseUI accepts only what cannot be reached from other machines.
func parseUI(text string) (string, error) {
	host, port, err := net.SplitHostPort(text)
	_, portErr := strconv.ParseUint(port, 10, 16)
	ip, _ := netip.ParseAddr(host)
	if text == "off" || err == nil && portErr == nil && (host == "localhost" || ip.IsLoopback()) {
		return text, nil
	}
	return "", fmt.Errorf("%w: %q (want 127.0.0.1:PORT, or off)", ErrSetting, text)
}

func parseLevel(text string) (slog.Level, error) {
	switch text {
	case "debug", "info", "warn", "error":
		var l slog.Level
		return l, l.UnmarshalText([]byte(text))
	}
	return 0, fmt.Errorf("%w: %q (want debug, info, warn or error)", ErrSetting, text)
}

// Bounds of the interval between scans.
const (
	minRescan = time.Second
	maxRescan = 366 * 24 * time.Hour
)

func parseInterval(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < minRescan || d > maxRescan {
		return 0, fmt.Errorf("%w: %q (want a time from 1s to %s, such as 30m or 1h)", ErrSetting, text, shortDuration(maxRescan))
	}
	return d, nil
}

// shortDuration leaves out the zeros that Go would print: 1h, not 1h0m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
