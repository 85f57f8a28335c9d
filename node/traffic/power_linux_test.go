package traffic

import (
	"os"
	"path/filepath"
	"testing"
)

func TestWhatTheMachineRunsOn(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  Power
	}{
		"nothing is known": {nil, Power{}},
		"a laptop on its battery": {map[string]string{
			"AC/type": "Mains", "AC/online": "0", "BAT0/type": "Battery", "BAT0/capacity": "41", "BAT0/status": "Discharging",
		}, Power{true, 41}},
		"a laptop on mains": {map[string]string{
			"AC/type": "Mains", "AC/online": "1", "BAT0/type": "Battery", "BAT0/capacity": "41", "BAT0/status": "Charging",
		}, Power{}},
		"two batteries, one at rest": {map[string]string{
			"BAT0/type": "Battery", "BAT0/capacity": "20", "BAT0/status": "Discharging",
			"BAT1/type": "Battery", "BAT1/capacity": "80", "BAT1/status": "Not charging",
		}, Power{true, 50}},
		"the battery of a mouse": {map[string]string{
			"hid/type": "Battery", "hid/scope": "Device", "hid/capacity": "3", "hid/status": "Discharging",
		}, Power{}},
	} {
		dir := t.TempDir()
		for file, text := range c.files {
			at := filepath.Join(dir, file)
			if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(at, []byte(text+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := readPower(dir); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
