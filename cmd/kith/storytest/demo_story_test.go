package storytest

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTheDemoShowsItselfAndLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	source := t.TempDir()
	copyTree(t, goSource(t), source, size(30, 300))
	before := look(t, source)
	for _, args := range [][]string{{"demo"}, {"demo", source}} {
		t.Run(strings.Join(args[:1], " "), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			c := exec.CommandContext(ctx, program, append([]string{"--json"}, args...)...)
			c.Env = append(ownEnvironment(), "TMPDIR="+dir, "HOME="+dir, "XDG_STATE_HOME=", "XDG_CONFIG_HOME=", "XDG_RUNTIME_DIR=")
			var out, errs bytes.Buffer
			c.Stdout, c.Stderr = &out, &errs
			if err := c.Run(); err != nil {
				t.Fatalf("kith demo: %v\n%s%s", err, out.Bytes(), errs.Bytes())
			}
			t.Logf("%s", out.Bytes())
			steps := 0
			for dec := json.NewDecoder(&out); dec.More(); steps++ {
				var line struct{ Event, Step, Text string }
				if err := dec.Decode(&line); err != nil || line.Event != "step" || line.Text == "" {
					t.Fatalf("line %d of what it prints: %+v, %v", steps+1, line, err)
				}
			}
			if steps < 5 {
				t.Errorf("it shows %d steps", steps)
			}
		})
	}
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range left {
		t.Errorf("the demo left %q behind", e.Name())
	}
	for _, p := range processesThatName(dir) {
		t.Errorf("the demo left a process behind: %s", p)
	}
	if diff := before.differences(look(t, source)); diff != "" {
		t.Errorf("the demo changed what it was to show a copy of:\n%s", diff)
	}
}

// processesThatName are the command lines in which a path occurs; none where
// there is no /proc.
func processesThatName(path string) []string {
	var out []string
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil && bytes.Contains(b, []byte(path)) {
			out = append(out, string(bytes.ReplaceAll(b, []byte{0}, []byte{' '})))
		}
	}
	return out
}
