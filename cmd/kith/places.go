package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/kithmesh/kith/node/config"
	"github.com/kithmesh/kith/node/control"
)

// dial connects to the device of this home, after making sure that nobody else
// could have put the socket there.
func (a *app) dial(ctx context.Context) (*control.Client, error) {
	p, err := config.Find(a.home)
	if err != nil {
		return nil, err
	}
	if err := p.CheckSocket(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return control.Dial(ctx, p.Socket)
}

type placesView struct {
	Home       string `json:"home"`
	Config     string `json:"config"`
	State      string `json:"state"`
	Key        string `json:"key"`
	Index      string `json:"index"`
	Membership string `json:"membership"`
	Vaults     string `json:"vaults"`
	Socket     string `json:"socket"`
}

func (a *app) pathsCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "paths",
		Short:   "Tell where kith keeps things on this machine",
		Example: "  kith paths\n  kith paths --home /srv/kith --json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			p, err := config.Find(a.home)
			if err != nil {
				return err
			}
			return a.show(placesView(p), func(w io.Writer) error {
				var t table
				for _, row := range [][2]string{
					{"config", p.Config}, {"state", p.State}, {"key", p.Key}, {"index", p.Index},
					{"membership", p.Membership}, {"vaults", p.Vaults}, {"socket", p.Socket},
				} {
					t.row(row[0], row[1])
				}
				return t.write(w, terminal{})
			})
		},
	}
}

type settingView struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	From  string `json:"from"`
	Holds string `json:"holds,omitempty"` // now, next_start or overruled, if it was set and a device runs
}

func (a *app) configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Tell every setting and where it comes from",
		Long: "Tell every setting and where its value comes from: a flag of kith up, an environment\n" +
			"variable, the settings file (kith paths), or the default. The flags that a running\n" +
			"device was started with are not seen here.\n\n" +
			"A running device follows the settings file, whoever changes it. At once it takes over\n" +
			"name, log-level, rescan-interval, brake-files, brake-share, metered, on-metered,\n" +
			"on-battery, battery-below and relay, and discovery, bootstrap and port-mapping while\n" +
			"discovery is off. Of anything else that was changed kith status says that it waits for\n" +
			"the next kith up. A file with a mistake changes nothing, and kith status says where it is.",
		Example: "  kith config\n  kith config set name nas",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, sources, err := a.settings(nil)
			if err != nil {
				return err
			}
			list := views(sources, func(s config.Source) settingView { return settingView{Name: s.Setting, Value: s.Value, From: s.From} })
			return a.show(map[string][]settingView{"settings": list}, func(w io.Writer) error {
				var t table
				for _, s := range list {
					t.row(cell{text: s.Name, style: bold}, s.Value+"  ("+s.From+")")
				}
				return t.write(w, terminal{colour: a.outTerminal.colour})
			})
		},
	}
	cmd.AddCommand(a.configSetCommand())
	return cmd
}

func (a *app) configSetCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "set NAME VALUE",
		Short: "Change a setting in the settings file",
		Long: "Change a setting in the settings file, and nothing else in it. A running device takes\n" +
			"the change over, or says that it holds from the next kith up (kith config --help).",
		Example: "  kith config set lan-only true\n  kith config set listen /ip4/0.0.0.0/tcp/22000",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := config.Find(a.home)
			if err != nil {
				return err
			}
			if err := p.Prepare(); err != nil {
				return err
			}
			if err := config.Set(p.Config, args[0], args[1]); err != nil {
				return asUsage(err)
			}
			v := settingView{Name: args[0], Value: args[1], From: p.Config}
			holds, why := a.holds(cmd.Context(), args[0])
			v.Holds = holds
			return a.show(v, func(w io.Writer) error { return say(w, "%s is now %s.%s\n", v.Name, v.Value, why) })
		},
	}
}

// holds tells from when a setting holds that was just changed in the file: now,
// from the next start, or not at all while something goes before the file. Empty
// is for a device that does not run, or that cannot be asked: it holds when one
// starts.
func (a *app) holds(ctx context.Context, name string) (holds, why string) {
	c, err := a.dial(ctx)
	if err == nil {
		defer c.Close()
		var found []control.Finding
		if found, err = c.Examine(ctx); err == nil {
			return heldSince(found, name)
		}
	}
	if !errors.Is(err, control.ErrNotRunning) {
		return "", " The running device could not be asked: " + describe(err).Message + "."
	}
	_, sources, err := a.settings(nil)
	if by, shadowed := config.Shadowed(sources, name); err == nil && shadowed {
		return "", " But " + by + " goes before the file."
	}
	return "", ""
}

// heldSince is what a running device has found out of a setting, by the subject
// and the code of its findings.
func heldSince(found []control.Finding, name string) (holds, why string) {
	for _, f := range found {
		switch {
		case f.Subject != "setting "+name:
		case f.Code == "setting_waits":
			return "next_start", " It holds from the next kith up: this device runs on as it was."
		case f.Code == "setting_overruled":
			return "overruled", " But " + f.Message + "."
		}
	}
	return "now", " It holds now."
}

// settings are those that hold for this home, given some as flags.
func (a *app) settings(flags map[string]string) (config.Settings, []config.Source, error) {
	p, err := config.Find(a.home)
	if err != nil {
		return config.Settings{}, nil, err
	}
	file, err := config.Load(p.Config)
	if err != nil {
		return config.Settings{}, nil, err
	}
	s, sources, err := file.Resolve(flags, a.getenv)
	if err != nil {
		return s, nil, asUsage(fmt.Errorf("read the settings: %w", err))
	}
	return s, sources, nil
}

// asUsage makes a value that a person gave wrongly an error of usage.
func asUsage(err error) error {
	if errors.Is(err, config.ErrSetting) && !errors.Is(err, config.ErrFile) {
		return &usage{message: err.Error(), hint: "kith config lists the settings"}
	}
	return err
}
