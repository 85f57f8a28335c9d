package main

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kithmesh/kith/node/control"
)

// howFast is a flag that takes bytes a second.
type howFast struct{ rate int64 }

func (f *howFast) String() string {
	if f.rate == 0 {
		return ""
	}
	return rateText(f.rate)
}

// Type names the value in help texts.
func (f *howFast) Type() string { return "RATE" }

// Set reads what was given.
func (f *howFast) Set(s string) (err error) {
	f.rate, err = parseRate(s)
	return err
}

var errRate = errors.New("not a rate like 500kB/s, 2MiB, 20Mbit/s, or none")

// parseRate reads bytes a second in the units of sizes, or bits with bit or
// bps. Zero and none are no limit.
func parseRate(s string) (int64, error) {
	text := strings.TrimSuffix(strings.ToLower(strings.ReplaceAll(s, " ", "")), "/s")
	if text == "none" || text == "unlimited" || text == "0" {
		return control.NoLimit, nil
	}
	perByte := int64(1)
	for _, unit := range []string{"bit", "bps"} {
		if bits, ok := strings.CutSuffix(text, unit); ok {
			text, perByte = bits, 8
		}
	}
	n, err := parseSize(text)
	if err != nil || perByte == 8 && strings.HasSuffix(text, "b") {
		return 0, errRate
	}
	if n /= perByte; n > 0 {
		return n, nil
	}
	return 0, errRate
}

func rateText(n int64) string {
	switch {
	case n == control.NoLimit:
		return "unlimited"
	case n == 0:
		return "-"
	}
	return size(n) + "/s"
}

func (a *app) limitsCommand() *cobra.Command {
	var up, down, lan howFast
	var r control.LimitRequest
	cmd := &cobra.Command{
		Use:   "limits [DEVICE]",
		Short: "Show or change how much goes over the network, and when",
		Long: "Show the limits of this device, or change them, at once and for transfers that run\n" +
			"too: those of one device, or of all together. What goes over the local network is\n" +
			"not limited unless --lan says so.\n\n" +
			"RATE is bytes a second like 500kB or 2MiB, bits like 20Mbit, or none. With --between\n" +
			"a limit holds at that time of each day by the clock of this machine, in place of the\n" +
			"one that holds always; where several such times meet the lowest rate counts.\n\n" +
			"--clear drops limits: everything, those of a DEVICE, or those of a time.",
		Example: "  kith limits --up 500kB --down 5MB\n  kith limits --up 100kB --between 08:00-18:00\n" +
			"  kith limits --up none --between 23:00-06:00\n  kith limits phone --down 1MB\n  kith limits --lan 50MB\n  kith limits --clear",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			changes := false
			cmd.LocalFlags().VisitAll(func(f *pflag.Flag) { changes = changes || f.Changed && f.Name != "between" })
			if !changes && cmd.Flags().Changed("between") {
				return usagef(cmd, "--between says when, but not how much: add --up, --down or --clear")
			}
			if len(args) > 0 {
				r.Device = args[0]
			}
			r.Up, r.Down, r.LAN = up.rate, down.rate, lan.rate
			return a.ask(func(ctx context.Context, c *control.Client, _ []string) error {
				if changes {
					if _, err := c.SetLimits(ctx, r); err != nil {
						return invalidUsage(cmd, err)
					}
				}
				l, err := c.Limits(ctx, r.Device)
				if err != nil {
					return err
				}
				return a.show(viewLimits(l), func(w io.Writer) error { return a.limitLines(w, l) })
			})(cmd, args)
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return a.complete(deviceNames)
		},
	}
	cmd.Flags().Var(&up, "up", "send no more than `RATE`")
	cmd.Flags().Var(&down, "down", "receive no more than `RATE`")
	cmd.Flags().Var(&lan, "lan", "each way on the local network no more than `RATE`; unlimited is the default")
	cmd.Flags().StringVar(&r.Between, "between", "", "at this time of day only, like `08:00-18:00`")
	cmd.Flags().BoolVar(&r.Clear, "clear", false, "drop limits, before others are set")
	return cmd
}

// limitsView has rates in bytes a second: null says nothing, -1 is no limit.
type limitsView struct {
	Limits    []limitView `json:"limits"`
	LAN       *int64      `json:"lan"`
	Up        *int64      `json:"up"`
	Down      *int64      `json:"down"`
	Metered   bool        `json:"metered"`
	OnMetered string      `json:"on_metered"`
	Battery   *int        `json:"battery"`
	Saving    bool        `json:"saving"`
}

type limitView struct {
	Device  *deviceView `json:"device"` // null: all together
	Between *string     `json:"between"`
	Up      *int64      `json:"up"`
	Down    *int64      `json:"down"`
	Now     bool        `json:"now"`
}

func viewLimits(l control.LimitList) limitsView {
	out := limitsView{
		LAN: said(l.LAN), Up: said(l.Up), Down: said(l.Down), Metered: l.Metered, OnMetered: l.OnMetered, Saving: l.Saving,
		Limits: views(l.Limits, func(one control.Limit) limitView {
			v := limitView{Up: said(one.Up), Down: said(one.Down), Now: one.Now}
			if one.Device != (control.Identity{}) {
				v.Device = new(viewDevice(one.Device))
			}
			if one.Between != "" {
				v.Between = &one.Between
			}
			return v
		}),
	}
	if l.Battery >= 0 {
		out.Battery = &l.Battery
	}
	return out
}

func said(rate int64) *int64 {
	if rate == 0 {
		return nil
	}
	return &rate
}

func (a *app) limitLines(w io.Writer, l control.LimitList) error {
	var t table
	for _, one := range l.Limits {
		who, when, now := "all devices", "always", ""
		if one.Device != (control.Identity{}) {
			who = one.Device.Name
		}
		if one.Between != "" {
			if when = one.Between; one.Now {
				now = "now"
			}
		}
		t.row(cell{text: who, style: bold}, when, "up "+rateText(one.Up), "down "+rateText(one.Down), now)
	}
	if len(l.Limits) == 0 {
		t.row(cell{text: "all devices", style: bold}, "always", "unlimited")
	}
	lan := "unlimited"
	if l.LAN > 0 {
		lan = rateText(l.LAN) + " each way"
	}
	t.row(cell{text: "local network", style: bold}, "always", lan)
	if l.Metered {
		t.row(cell{text: "metered network", style: bold}, "now", meteredText[l.OnMetered])
	}
	if l.Battery >= 0 {
		text := "on battery, " + strconv.Itoa(l.Battery) + " %"
		if l.Saving {
			text += ": nothing is exchanged"
		}
		t.row(cell{text: "battery", style: bold}, "now", text)
	}
	return t.write(w, terminal{colour: a.outTerminal.colour})
}

// meteredText is what a device does on a metered network.
var meteredText = map[string]string{
	"lan":   "larger files wait for the local network",
	"pause": "nothing is exchanged",
	"sync":  "makes no difference",
}
