package config

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/kithmesh/kith/node/durable"
)

// WriteTemplate writes a settings file in which every setting is explained and
// none is set, unless there is a file already. Its directory must exist.
func WriteTemplate(path string) error {
	err := durable.Create(path, []byte(template()), 0o600)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("write settings %q: %w", path, err)
	}
	return nil
}

func template() string {
	var b strings.Builder
	b.WriteString("# Settings of this kith device. A running device takes over what changes here,\n" +
		"# or says what of it holds only from its next start (kith status).\n" +
		"# What is commented out has the value shown. \"kith config\" tells what holds.\n")
	for i := range settings {
		s := &settings[i]
		fmt.Fprintf(&b, "\n# %s\n# Also: --%s, %s.\n# %s\n", s.comment, s.name, Variable(s.name), s.line(s.initial()))
	}
	return b.String()
}

// line is the setting as a line of TOML, without its end. The text must fit
// the setting.
func (s *setting) line(text string) string {
	var value any = text
	switch s.name {
	case "lan-only", "mdns", "port-mapping":
		value = text == "true"
	case "brake-files", "brake-share", "battery-below":
		value, _ = strconv.ParseInt(text, 10, 64) // it fits
	case "listen", "bootstrap":
		value = strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
	}
	raw, err := toml.Marshal(map[string]any{s.name: value})
	if err != nil {
		panic(err) // strings, lists of them, numbers and booleans are all there is
	}
	return strings.TrimSuffix(string(raw), "\n")
}
