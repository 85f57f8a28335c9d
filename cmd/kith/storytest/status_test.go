package storytest

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// status is of what kith status prints that which stories look at.
type status struct {
	Folders []folderStatus
	Peers   []struct {
		Device, Name, Via, Addr string
		Connected               bool
	}
}

type folderStatus struct {
	ID, Label, Path, Role, State string
	Files, Bytes, Conflicts      int64
	NeedFiles                    int64 `json:"need_files"`
	NeedBytes                    int64 `json:"need_bytes"`
	Problems                     []struct{ Path, Code, Message, Hint string }
}

// status asks the device how it is. The exit code tells whether a person
// should look, which is for the caller to judge.
func (d *device) status() status {
	d.t.Helper()
	a := d.ask("status")
	if a.code != 0 && a.code != 3 {
		d.t.Fatalf("%s: exit code %d\n%s", a.command, a.code, a.err)
	}
	var s status
	a.decode(d.t, &s)
	return s
}

// folder is how the one folder of a story is.
func (d *device) folder() folderStatus {
	d.t.Helper()
	s := d.status()
	if len(s.Folders) != 1 {
		d.t.Fatalf("%s: status tells of %d folders", d.name, len(s.Folders))
	}
	return s.Folders[0]
}

// hasStopped waits until the folder says that it has stopped, and why.
func (d *device) hasStopped(code string) {
	d.t.Helper()
	eventually(d.t, d.name+" to say "+code, 15*time.Second, func() error {
		f := d.folder()
		var codes []string
		for _, p := range f.Problems {
			codes = append(codes, p.Code)
		}
		if f.State != "error" || !slices.Contains(codes, code) {
			return fmt.Errorf("state %q, problems %q", f.State, codes)
		}
		return nil
	})
}

// isBack waits until the folder is in sync and has nothing to complain of.
func (d *device) isBack() {
	d.t.Helper()
	eventually(d.t, d.name+" to be in sync again", 20*time.Second, func() error {
		if f := d.folder(); f.State != "in-sync" || len(f.Problems) > 0 {
			return fmt.Errorf("state %q, problems %v", f.State, f.Problems)
		}
		return nil
	})
}

// wait waits until the device says that its folder is the same everywhere.
func (d *device) wait(timeout time.Duration) {
	d.t.Helper()
	d.do(nil, "wait", "--for", "connected", "--timeout", "60s")
	if a := d.ask("wait", "--timeout", timeout.String()); a.code != 0 {
		d.t.Fatalf("%s: exit code %d: %s%s says: %+v", a.command, a.code, a.err, d.name, d.status())
	}
}

// sameTrees has one device wait, and demands that then, at once, both trees
// are the same.
func sameTrees(t *testing.T, waits, other *device, timeout time.Duration) tree {
	t.Helper()
	waits.wait(timeout)
	a, b := look(t, waits.files), look(t, other.files)
	if diff := a.differences(b); diff != "" {
		t.Fatalf("%s says that all is synced, but %s has other files:\n%s", waits.name, other.name, diff)
	}
	return a
}
