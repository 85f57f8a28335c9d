package config

import (
	"fmt"
	"slices"
	"strings"
)

// Source tells where the value of one setting comes from.
type Source struct {
	Setting string
	Value   string // in the form that a flag would have
	From    string // "--name", "KITH_NAME", the path of the file, or "default"
}

// Resolve combines the file with flags (setting name to value; several values
// of a list are joined by commas) and the environment, and tells for each
// setting in turn where its value comes from. A variable that is empty counts
// as not set. Errors wrap [ErrSetting] and name the flag or the variable.
func (f *File) Resolve(flags map[string]string, getenv func(string) string) (Settings, []Source, error) {
	for name := range flags {
		if !slices.Contains(Names(), name) {
			return Settings{}, nil, fmt.Errorf("--%s: %w: there is none of that name", name, ErrSetting)
		}
	}
	var s Settings
	sources := make([]Source, 0, len(settings))
	for i := range settings {
		one := &settings[i]
		text, from := f.pick(one, flags, getenv)
		if err := one.parse(&s, text); err != nil {
			return Settings{}, nil, fmt.Errorf("%s: %w", from, err)
		}
		sources = append(sources, Source{Setting: one.name, Value: one.text(&s), From: from})
	}
	return s, sources, nil
}

func (f *File) pick(s *setting, flags map[string]string, getenv func(string) string) (text, from string) {
	if text, ok := flags[s.name]; ok {
		return text, "--" + s.name
	}
	if text := getenv(Variable(s.name)); text != "" {
		return text, Variable(s.name)
	}
	if text, ok := f.text[s.name]; ok {
		return text, f.path
	}
	return s.initial(), "default"
}

// Shadowed tells what, if anything, keeps a change of a setting in the file
// from having effect: the flag or the variable that goes before it.
func Shadowed(sources []Source, name string) (by string, shadowed bool) {
	for _, s := range sources {
		if s.Setting == name && (strings.HasPrefix(s.From, "--") || s.From == Variable(name)) {
			return s.From, true
		}
	}
	return "", false
}
