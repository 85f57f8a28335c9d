package storytest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Three devices have many files. What one of them frees, gets, or makes of its
// role moves the bytes of the files that were asked for, and no others.
func TestOnlyTheBytesThatWereAskedForMove(t *testing.T) {
	t.Parallel()
	n := size(3000, 100_000)
	laptop, phone := atHome(t)
	tablet := newDevice(t, "tablet", nil, loopback(t)...)
	r := chance(t, "the files")
	for i := range n {
		write(t, laptop.at(fmt.Sprintf("d%02d/e%02d/f%d", i%20, i/20%50, i)), string(noise(r, fileBytes)))
	}
	share(t, laptop, phone)
	tablet.start()
	pair(t, laptop, tablet, "--at", laptop.ready.Listen[0])
	tablet.accept()
	begun := time.Now()
	phone.wait(20 * time.Minute)
	tablet.wait(20 * time.Minute)
	t.Logf("%d files are on three devices after %.1f s", n, time.Since(begun).Seconds())

	// Proofs are small: 32 bytes, and as much to ask for one, of each holder.
	freed := n / 20
	cost := tablet.moves(func() {
		var f struct{ Files, Kept int }
		tablet.do(&f, "free", label+"/d07", "--copies", "2")
		if f.Files != freed || f.Kept != 0 {
			t.Fatalf("freed %d files and kept %d, of %d", f.Files, f.Kept, freed)
		}
		tablet.wait(time.Minute)
	})
	t.Logf("free of %d files, %d bytes: %d bytes sent, %d received", freed, freed*fileBytes, cost.sent, cost.received)
	if got := cost.sent + cost.received; got > int64(freed)*600+100_000 {
		t.Errorf("to free %d files, %d bytes crossed", freed, got)
	}
	if left := tablet.filesIn("d07"); left != 0 {
		t.Errorf("%d files are still there", left)
	}
	if laptop.filesIn("d07") != freed || phone.filesIn("d07") != freed {
		t.Error("what one device freed is gone from another")
	}

	one := fmt.Sprintf("d07/e03/f%d", 7+3*20)
	cost = tablet.moves(func() { tablet.do(nil, "get", label+"/"+one) })
	t.Logf("get of one file of %d bytes: %d bytes sent, %d received", fileBytes, cost.sent, cost.received)
	if cost.received < fileBytes || cost.sent+cost.received > 3*fileBytes+20_000 {
		t.Errorf("for one file, %d bytes were received and %d sent", cost.received, cost.sent)
	}
	if tablet.filesIn("d07") != 1 {
		t.Errorf("%d files came", tablet.filesIn("d07"))
	}

	for _, role := range []string{"receive", "send", "archive", "sync"} {
		cost = tablet.moves(func() {
			tablet.do(nil, "role", label, role)
			tablet.wait(5 * time.Minute)
		})
		t.Logf("role %s: %d bytes sent, %d received", role, cost.sent, cost.received)
		if cost.sent+cost.received > 50_000 {
			t.Errorf("to switch to %s, %d bytes were sent and %d received", role, cost.sent, cost.received)
		}
	}
	if laptop.filesIn("") != n || tablet.filesIn("d07") != 1 {
		t.Error("a switch of roles moved files")
	}
}

const fileBytes = 1000

// traffic is what a device has exchanged with its peers.
type traffic struct{ sent, received int64 }

// moves is what crosses on behalf of a device while fn runs.
func (d *device) moves(fn func()) traffic {
	d.t.Helper()
	before := d.traffic()
	fn()
	after := d.traffic()
	return traffic{after.sent - before.sent, after.received - before.received}
}

func (d *device) traffic() (all traffic) {
	d.t.Helper()
	a := d.ask("status")
	var s struct {
		Peers []struct {
			Sent     int64 `json:"sent_bytes"`
			Received int64 `json:"received_bytes"`
		}
	}
	if err := json.Unmarshal(a.out, &s); err != nil {
		d.t.Fatalf("%s: %v", a.command, err)
	}
	for _, p := range s.Peers {
		all.sent, all.received = all.sent+p.Sent, all.received+p.Received
	}
	return all
}

// filesIn counts the regular files below a directory of the device.
func (d *device) filesIn(dir string) (n int) {
	d.t.Helper()
	err := filepath.WalkDir(d.at(dir), func(p string, e os.DirEntry, err error) error {
		if err == nil && e.IsDir() && e.Name() == ".kith" {
			return filepath.SkipDir
		}
		if err == nil && e.Type().IsRegular() {
			n++
		}
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return n
}
