package index

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kithmesh/kith/index/entry"
)

// crashEnv names the index that a child of this test fills until it is killed.
const crashEnv = "KITH_TEST_CRASH_INDEX"

func TestMain(m *testing.M) {
	if path := os.Getenv(crashEnv); path != "" {
		fmt.Println(fillForEver(path))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func crashPath(count uint64) entry.Path { return entry.Path(fmt.Sprintf("d%d/f%d", count%100, count)) }

// fillForEver writes events in batches and prints the last number of each
// batch once it is committed.
func fillForEver(path string) error {
	db, err := Open(path)
	if err != nil {
		return err
	}
	for size := 1; ; size = size*7%61 + 1 {
		var last uint64
		err := db.Update(func(tx *Tx) error {
			f, err := tx.Folder(folderA)
			if err != nil {
				return err
			}
			for range size {
				if last, err = f.NextCount(); err != nil {
					return err
				}
				v := vec(uint64(me), last)
				if _, err := f.Put(file(crashPath(last), v, last)); err != nil {
					return err
				}
				if err := f.Saw(v.Vector); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		fmt.Println(last)
	}
}

func TestWhatUpdateAcknowledgedSurvivesAKillAtAnyMoment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "index.db")
	db, err := Open(path)
	must(t, err)
	must(t, db.Update(func(tx *Tx) error {
		_, err := tx.CreateFolder(folderA, me, 7)
		return err
	}))
	must(t, db.Close())

	highest := uint64(0)
	for lines := 1; lines < 120; lines += lines/2 + 1 {
		acknowledged := killAfter(t, path, lines)
		if acknowledged <= highest {
			t.Fatalf("acknowledged %d, of which %d had been before", acknowledged, highest)
		}
		highest = checkAfterCrash(t, path, acknowledged)
	}
}

// killAfter lets the child print some lines, kills it, and returns the last
// number that it has printed in full.
func killAfter(t *testing.T, path string, lines int) (last uint64) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), crashEnv+"="+path)
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	r := bufio.NewReader(out)
	for n := 0; ; n++ {
		line, err := r.ReadString('\n')
		if err != nil { // what was printed before the kill has been read
			break
		}
		if _, err := fmt.Sscanln(line, &last); err != nil {
			t.Fatalf("the child says %q", strings.TrimSpace(line))
		}
		if n == lines {
			must(t, child.Process.Kill())
		}
	}
	_ = child.Wait() // killed
	return last
}

// checkAfterCrash returns the next event number, which it uses up.
func checkAfterCrash(t *testing.T, path string, acknowledged uint64) (next uint64) {
	t.Helper()
	db := openAt(t, path)
	update(t, db, func(f *Folder) error {
		highest := f.Count()
		if highest < acknowledged || f.Seen(me) != highest {
			return fmt.Errorf("count %d, seen %d, acknowledged %d", highest, f.Seen(me), acknowledged)
		}
		for e, err := range f.Range("") {
			if err != nil {
				return err
			}
			if n := e.Version.Vector.Count(me); n > highest || e.Path != crashPath(n) {
				return fmt.Errorf("%q has event %d of %d", e.Path, n, highest)
			}
		}
		var err error
		next, err = f.NextCount()
		if err == nil && next <= acknowledged {
			err = fmt.Errorf("event number %d comes again", next)
		}
		if err == nil { // so that every event has an entry
			_, err = f.Put(file(crashPath(next), vec(uint64(me), next), next))
		}
		if err == nil {
			err = f.Saw(vec(uint64(me), next).Vector)
		}
		if n := f.Totals().Files; err == nil && n != int64(next) {
			err = fmt.Errorf("%d files for %d events", n, next)
		}
		return err
	})
	must(t, db.Close())
	return next
}
