//go:build linux

package meshtest

import (
	"maps"
	"slices"
	"strings"
)

// profile is what users do in a run, where, and what befalls the devices.
type profile struct {
	weights     map[string]int
	files, dirs []string
	faults      []string
	calm        bool // all agree after each operation
	apart       bool // users work while no device hears another
	network     bool // needs namespaces
	strict      bool // no content comes to a path at which it has been
}

var (
	coreFiles = []string{"a", "b", "d/x", "d/y", "d/e/z"}
	coreDirs  = []string{"d", "d/e", "f"}
	coreOps   = map[string]int{
		"write": 14, "write-slowly": 4, "append": 6, "stealth": 3, "replace": 10, "rename": 8, "over": 6, "rename-d": 4,
		"delete": 8, "delete-d": 3, "mkdir": 2, "chmod": 4, "touch": 3, "exchange": 3, "hard-link": 2,
	}
	oddFiles = []string{
		"caf\u00e9", "cafe\u0301", "\xff\xfe", " lead", "trail ", "new\nline", `back\slash`, "*?", "A", "a", "a.tar.gz", "-rf", "CON",
		"d \x01/\xe9", "d \x01/" + strings.Repeat("\u00e9", 127), strings.Repeat("n", 255), strings.Repeat("m", 250) + ".text",
		"a (conflict, moon, 2026-01-02 03.04.05 abcd)", ".hidden", "x.", "...",
	}
	oddDirs = []string{"d \x01", "\xf0\x28", strings.Repeat("o", 255)}
)

func with(base map[string]int, more map[string]int) map[string]int {
	out := maps.Clone(base)
	maps.Copy(out, more)
	return out
}

var profiles = map[string]profile{
	"core":  {weights: coreOps, files: coreFiles, dirs: coreDirs},
	"links": {weights: with(coreOps, map[string]int{"symlink": 30, "hard-link": 5}), files: coreFiles, dirs: coreDirs},
	"names": {weights: with(coreOps, map[string]int{"symlink": 3}), files: oddFiles, dirs: oddDirs},
	"dirs": {
		weights: with(coreOps, map[string]int{"turn": 25, "rename-d": 10, "delete-d": 6, "mkdir": 6, "symlink": 3}),
		files:   []string{"a", "d", "d/x", "d/e", "d/e/z", "f", "f/x"}, dirs: []string{"d", "d/e", "f", "a"},
	},
	"calm": {weights: with(coreOps, map[string]int{"symlink": 5, "turn": 5}), files: coreFiles, dirs: coreDirs, calm: true},
	"kill": {
		weights: with(coreOps, map[string]int{"symlink": 3, "turn": 3}), files: coreFiles, dirs: coreDirs,
		faults: []string{"kill", "freeze", "restart"},
	},
	"partition": {
		weights: with(coreOps, map[string]int{"symlink": 3, "turn": 3}), files: coreFiles, dirs: coreDirs,
		faults: []string{"partition", "kill"}, network: true,
	},
	"apart": {
		weights: with(coreOps, map[string]int{"symlink": 4, "turn": 6}), files: []string{"a", "b", "d/x", "d/e", "d/e/z"}, dirs: coreDirs,
		apart: true,
	},
	storm: {
		weights: with(coreOps, map[string]int{"symlink": 5, "turn": 3, "tidy": 14}),
		files:   []string{"a", "b", "report.odt", "d/x", "d/y", "d/e/z", "f/one", "f/two", "g/h/deep", "g/note"},
		dirs:    []string{"d", "d/e", "f", "g", "g/h"},
		network: true, strict: true,
	},
}

// storm is the profile of [TestMeshOfFive].
const storm = "storm"

// profileNames are the profiles that [TestMesh] takes turns with.
func profileNames() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(profiles)), func(name string) bool { return name == storm })
}
