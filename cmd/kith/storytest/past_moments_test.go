package storytest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestEveryMomentOnWhichAllAgreedComesBackFromABlindReplica(t *testing.T) {
	t.Parallel()
	h := newHistory(newTrio(t, noBrake()...))
	tablet := h.lend()
	words := h.words()
	operations, rounds := size(300, 5000), size(13, 150)
	for i := range rounds {
		h.round((operations + 2*rounds - 1) / (2 * rounds))
		if i == rounds/2 {
			h.revoke(tablet)
		}
	}
	h.secrets.tree(t, h.laptop.files, size(50, 1000))
	n, bytes := h.moments[len(h.moments)-1].tree.files()
	t.Logf("%d operations, %d moments recorded; in the end %d files, %d MB", h.acts, len(h.moments), n, bytes/1e6)

	begun := time.Now()
	picked := h.rng.Perm(len(h.moments))[:min(size(12, 50), len(h.moments))]
	slices.Sort(picked)
	for i, k := range picked {
		on := []*device{h.laptop, h.laptop, h.phone}[i%3]
		h.comesBack(on, h.moments[k], filepath.Join(on.base(), fmt.Sprintf("restored %d", k)))
		if i%3 == 0 {
			h.listed(on, h.moments[k])
		}
	}
	t.Logf("%d of them were restored in %.1f s", len(picked), time.Since(begun).Seconds())
	h.secrets.unknownTo(t, h.nas, h.laptop)
	verified(t, h.laptop)

	fresh := h.lose(words)
	for _, k := range picked[len(picked)-size(3, 10):] {
		h.comesBack(fresh, h.moments[k], filepath.Join(fresh.base(), fmt.Sprintf("restored %d", k)))
		h.listed(fresh, h.moments[k])
	}
	write(t, filepath.Join(fresh.base(), label, "a new beginning"), "here")
	fresh.do(nil, "wait", label, "--for", "protected", "--timeout", "2m")
	verified(t, fresh)
}

// words are those of a recovery.
func (h *history) words() string {
	h.t.Helper()
	var made struct{ Words []string }
	h.laptop.do(&made, "recovery", "create", "--yes")
	if len(made.Words) != 24 {
		h.t.Fatalf("%d words: %q", len(made.Words), made.Words)
	}
	return strings.Join(made.Words, " ")
}

// lose destroys the laptop and the phone, and has a fresh device become what
// they were, with the words and what the nas keeps.
func (h *history) lose(words string) (fresh *device) {
	h.t.Helper()
	last := h.settle()
	for _, d := range []*device{h.laptop, h.phone} {
		d.kill()
		for _, dir := range []string{d.home, d.files} {
			if err := os.RemoveAll(dir); err != nil {
				h.t.Fatal(err)
			}
		}
	}
	fresh = newDevice(h.t, "fresh", nil, loopback(h.t)...)
	fresh.start()
	begun := time.Now()
	c := fresh.net.command(program, "--home", fresh.home, "--json", "recovery", "restore",
		"--at", h.nas.ready.Listen[0], "--to", fresh.base(), "--revoke", "all")
	c.Env = append(c.Env, "KITH_PHRASE="+words)
	if out, err := c.CombinedOutput(); err != nil {
		h.t.Fatalf("kith recovery restore: %v: %s", err, out)
	}
	eventually(h.t, "all to be back", 2*time.Minute, func() error {
		fresh.wait(2 * time.Minute)
		if diff := last.tree.differences(look(h.t, filepath.Join(fresh.base(), label))); diff != "" {
			return errors.New("other is what came back:\n" + diff)
		}
		return nil
	})
	h.t.Logf("all is back with the words %.1f s after the loss", time.Since(begun).Seconds())
	return fresh
}

// lend has one more device take part for a while.
func (h *history) lend() *device {
	h.t.Helper()
	tablet := newDevice(h.t, "tablet", nil, append(loopback(h.t), noBrake()...)...)
	tablet.start()
	pair(h.t, h.laptop, tablet, "--at", h.laptop.ready.Listen[0])
	tablet.accept()
	h.settle()
	return tablet
}

// revoke puts a device out of the folder: from then on other keys seal.
func (h *history) revoke(tablet *device) {
	h.t.Helper()
	h.laptop.do(nil, "unshare", label, tablet.name)
	h.moments = append(h.moments, h.settle())
	tablet.kill()
}

// verified demands that all histories of the folder that a device can reach
// prove what they hold.
func verified(t *testing.T, d *device) {
	t.Helper()
	a := d.ask("verify", label)
	if a.code != 0 {
		t.Errorf("%s: exit code %d\n%s%s", a.command, a.code, a.out, a.err)
		return
	}
	var v struct {
		Vaults []struct {
			Device        string
			Blocks, Files int64
			Problems      []struct{ Code string }
		}
	}
	a.decode(t, &v)
	proven := int64(0)
	for _, x := range v.Vaults {
		proven += x.Blocks
	}
	if proven == 0 {
		t.Errorf("%s: nothing is proven: %s", a.command, a.out)
	}
}
