package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kithmesh/kith/node/config"
	"github.com/kithmesh/kith/node/control"
)

// upOptions is what a device is started with.
type upOptions struct {
	Places   config.Places
	Settings config.Settings
	Log      *slog.Logger
	Reader   *config.Reader
	Level    *slog.LevelVar // of Log
	Ready    func(control.Ready)
}

func (a *app) upCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run this device in the foreground; the first run creates it",
		Long: "Run this device in the foreground until Ctrl-C or kith down. The first run makes its\n" +
			"key, its index, and a settings file with everything explained. The log goes to\n" +
			"standard error. Each flag is a setting too (kith config).",
		Example: "  kith up\n" +
			"  kith up --name nas --listen /ip4/0.0.0.0/tcp/22000 --lan-only --ui off",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.up(cmd.Context(), givenSettings(cmd.Flags()), a.showReady)
		},
	}
	flags := cmd.Flags()
	flags.String("name", "", "the `NAME` by which others know this device")
	flags.StringArray("listen", nil, "listen at `MULTIADDR` (repeatable)")
	flags.Bool("lan-only", false, "let nothing leave the local network")
	flags.String("discovery", "", "how devices find each other beyond it: `MODE` is off, private or public")
	flags.StringArray("bootstrap", nil, "enter a private DHT at `MULTIADDR` (repeatable)")
	flags.String("relay", "", "pass on what paired devices say to each other: `WHEN` is auto, on or off")
	flags.Bool("port-mapping", true, "ask the router for a port, unless discovery is off")
	flags.String("ui", "", "where the web page listens: `ADDR` on this machine, or off")
	flags.String("log-level", "", "the least `LEVEL` to log: debug, info, warn or error")
	flags.String("rescan-interval", "", "look through whole folders each `TIME`, like 1h")
	flags.String("brake-files", "", "hold changes of others that delete or rewrite `N` files or more, and")
	flags.String("brake-share", "", "`PERCENT` or more of the files here, until they are approved")
	flags.String("metered", "", "whether the network is paid for by what it carries: `WHETHER` is auto, yes or no")
	flags.String("on-metered", "", "`WHAT` to do then: lan, pause or sync")
	flags.String("on-battery", "", "`WHAT` to do on battery: sync or pause, if it is charged")
	flags.String("battery-below", "", "less than `PERCENT`")
	flags.Bool("mdns", true, "find other devices, and be found, on the local network")
	return cmd
}

// givenSettings are the settings that were given as flags.
func givenSettings(flags *pflag.FlagSet) map[string]string {
	given := make(map[string]string)
	for _, name := range config.Names() {
		f := flags.Lookup(name)
		if f == nil || !f.Changed {
			continue
		}
		given[name] = f.Value.String()
		if list, ok := f.Value.(pflag.SliceValue); ok {
			given[name] = strings.Join(list.GetSlice(), ",")
		}
	}
	return given
}

// up runs the device until it ends, and calls ready once it serves. A signal asks it to end, which is what
// Ctrl-C is for: that is no failure.
func (a *app) up(ctx context.Context, given map[string]string, ready func(control.Ready)) error {
	p, err := a.prepare(given)
	if err != nil {
		return err
	}
	s, _, err := a.settings(given)
	if err != nil {
		return err
	}
	level := new(slog.LevelVar)
	level.Set(s.LogLevel)
	err = a.run(ctx, upOptions{
		Places: p, Settings: s, Log: slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: level})), Level: level,
		Reader: &config.Reader{Path: p.Config, Flags: given, Getenv: a.getenv}, Ready: ready,
	})
	if ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, errInterrupted)) {
		return nil
	}
	return err
}

// prepare makes the places. The first time it writes the settings file, with
// the name that was given: a device keeps its name.
func (a *app) prepare(given map[string]string) (config.Places, error) {
	p, err := config.Find(a.home)
	if err != nil {
		return p, err
	}
	if err := p.Prepare(); err != nil {
		return p, err
	}
	if _, err := os.Stat(p.Config); !errors.Is(err, fs.ErrNotExist) {
		return p, err
	}
	if name, ok := given["name"]; ok {
		return p, asUsage(config.Set(p.Config, "name", name))
	}
	return p, config.WriteTemplate(p.Config)
}

type readyView struct {
	Event  string   `json:"event"`
	Device string   `json:"device"`
	Name   string   `json:"name"`
	Listen []string `json:"listen"`
	UI     string   `json:"ui"`
}

// showReady cannot fail: a device does not end because nobody listens to what
// it prints.
func (a *app) showReady(r control.Ready) {
	listen := append([]string{}, r.Listen...)
	_ = a.show(readyView{"ready", string(r.ID), r.Name, listen, r.UI}, func(w io.Writer) error {
		return a.greet(w, r)
	})
}

func (a *app) greet(w io.Writer, r control.Ready) error {
	word := "is up"
	if r.New {
		word = "is a new device, and up"
	}
	if err := say(w, "%s (…%s) %s.\n", r.Name, r.ID.Short(), word); err != nil {
		return err
	}
	var t table
	for i, addr := range r.Listen {
		head := ""
		if i == 0 {
			head = "listening"
		}
		t.row(head, addr)
	}
	if r.UI != "" {
		t.row("web page", r.UI)
	}
	t.row("next", "in another terminal: kith status; kith add PATH; kith pair")
	t.row("stop", "Ctrl-C, or kith down")
	return t.write(w, terminal{colour: a.outTerminal.colour})
}
