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
}

func (a *app) configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Tell every setting and where it comes from",
		Long: "Tell every setting and where its value comes from: a flag of kith up, an environment\n" +
			"variable, the settings file (kith paths), or the default. The flags that a running\n" +
			"device was started with are not seen here.",
		Example: "  kith config\n  kith config set name nas",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, sources, err := a.settings(nil)
			if err != nil {
				return err
			}
			list := views(sources, func(s config.Source) settingView { return settingView{s.Setting, s.Value, s.From} })
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
			"the change over.",
		Example: "  kith config set lan-only true\n  kith config set listen /ip4/0.0.0.0/tcp/22000",
		Args:    cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
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
			return a.show(settingView{args[0], args[1], p.Config}, func(w io.Writer) error {
				if err := say(w, "%s is now %s.\n", args[0], args[1]); err != nil {
					return err
				}
				_, sources, err := a.settings(nil)
				if by, shadowed := config.Shadowed(sources, args[0]); err == nil && shadowed {
					return say(w, "But %s goes before the file.\n", by)
				}
				return nil
			})
		},
	}
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
