package vault

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// rollingEnv has a child of this test edit in a rolling vault until it is
// killed: its directory, how many edits were made, and at which step it is to
// be killed.
const rollingEnv = "KITH_TEST_CRASH_ROLLING"

const (
	rollingPaths = 7
	rollingSize  = 20 << 10
)

// resumed goes on with the edits of an earlier run.
func resumed(v *Vault, c *clock, made uint64) *edits {
	e := newEdits(v, c, rollingPaths, rollingSize)
	for e.n = range made {
		e.blocks[e.n] = testBlock(e.n+1, rollingSize, "")
	}
	e.n = made
	return e
}

// rollingClock is a minute later with each edit.
func rollingClock(made uint64) *clock {
	c := newClock()
	c.pass(time.Duration(made) * time.Minute)
	return c
}

func rolling() error {
	args := strings.Fields(os.Getenv(rollingEnv))
	made, err := strconv.ParseUint(args[1], 10, 64)
	if err != nil {
		return err
	}
	last, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	c := rollingClock(made)
	v, err := Open(Options{
		Dir: args[0], Folder: testFolder, PackSize: minPack, Clock: c.read, noSync: true, Partial: true, Rolling: true, Quota: testQuota,
	})
	if err != nil {
		return err
	}
	n := 0
	v.hook = func(step string) error {
		if n++; n == last {
			fmt.Println("step", step)
			self, _ := os.FindProcess(os.Getpid())
			_ = self.Kill()
			select {}
		}
		return nil
	}
	for e := resumed(v, c, made); ; {
		if err := e.next(); err != nil {
			return err
		}
		fmt.Println("made", e.n)
	}
}

func TestAKillWhileRoomIsMadeLosesNothingYounger(t *testing.T) {
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	made, steps := uint64(0), map[string]int{}
	for range *kills {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %d", rollingEnv, dir, made, 100+r.IntN(400)))
		out, err := child.StdoutPipe()
		must(t, err)
		must(t, child.Start())
		for lines := bufio.NewScanner(out); lines.Scan(); {
			what, value, _ := strings.Cut(lines.Text(), " ")
			switch what {
			case "step":
				steps[value]++
			case "made":
				made, err = strconv.ParseUint(value, 10, 64)
				must(t, err)
			default:
				t.Fatalf("the child says %q", lines.Text())
			}
		}
		if err := child.Wait(); err == nil || child.ProcessState.Exited() {
			t.Fatalf("the child was not killed: %v", err)
		}
		tear(t, dir, r)
		c := rollingClock(made)
		v := local(t, dir, c)
		resumed(v, c, made).check(t)
		must(t, v.retry())
		checkRebuilt(t, v)
		resumed(v, c, made).check(t)
		must(t, v.Close())
	}
	t.Logf("%d edits; killed at %v", made, steps)
}
