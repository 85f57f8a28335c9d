//go:build linux

package meshtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// befall lets a fault begin or end, now and then.
func (m *mesh) befall(ctx context.Context, r *rand.Rand) {
	if len(m.faults) == 0 {
		return
	}
	all := m.all()
	d := all[r.IntN(len(all))]
	fault := m.faults[r.IntN(len(m.faults))]
	delay := time.Duration(r.IntN(40)) * time.Millisecond
	if r.IntN(100) < 35 {
		m.mend(ctx, d)
		return
	}
	if r.IntN(100) >= 30 || d.isStarting() {
		return
	}
	switch fault {
	case "kill":
		if d.runs() {
			m.users.Go(func() {
				pause(ctx, delay)
				m.note("%s is killed", d.name)
				d.kill()
			})
		}
	case "freeze":
		if d.runs() && !d.frozen {
			m.note("%s is frozen", d.name)
			m.freeze(d)
		}
	case "restart":
		if d.runs() && !d.frozen {
			m.note("%s goes down", d.name)
			m.report(d.quit(ctx))
		}
	case "partition":
		groups := make([]int, len(m.devices))
		for i := range groups {
			groups[i] = r.IntN(len(m.devices))
		}
		m.note("partition: %v", groups)
		m.report(m.net.group(ctx, groups))
	default:
		m.fail("no fault %q", fault)
	}
}

// freeze stops a device until it is mended.
func (m *mesh) freeze(d *device) {
	d.frozen = true
	d.befell()
	d.stop()
}

// mend ends what has befallen a device. It starts behind, so that users go on.
func (m *mesh) mend(ctx context.Context, d *device) {
	if d.frozen {
		m.note("%s goes on", d.name)
		d.frozen = false
		d.cont()
		d.befell()
	}
	if !d.runs() && d.begin() {
		m.note("%s starts", d.name)
		m.users.Go(func() {
			defer d.begun()
			m.report(d.up(ctx))
		})
	}
}

func (d *device) isStarting() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.starting
}

// begin claims the start of a device; false if somebody else is at it.
func (d *device) begin() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.starting {
		return false
	}
	d.starting = true
	return true
}

func (d *device) begun() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.starting = false
}

// heal ends all faults, and waits until all devices are connected.
func (m *mesh) heal(ctx context.Context) {
	m.users.Wait()
	if m.net != nil {
		m.report(m.net.group(ctx, make([]int, len(m.devices))))
		m.report(m.net.slowOnly(ctx, nil))
	}
	for _, d := range m.all() {
		m.mend(ctx, d)
	}
	m.users.Wait()
	m.note("healed")
	begun := time.Now()
	for _, d := range m.devices {
		for !d.connected(ctx) && ctx.Err() == nil {
			if time.Since(begun) > 60*time.Second {
				s, err := d.status(ctx)
				m.fail("I1: %s is not connected to all others 60 s after healing: %+v %v", d.name, s.Peers, err)
				if err != nil {
					d.dump()
				}
				return
			}
			pause(ctx, 50*time.Millisecond)
		}
	}
	if took := time.Since(begun); took > 10*time.Second {
		m.fail("it took %v after healing until all were connected, more than 10 s", took.Round(time.Millisecond))
	}
}

// connected tells whether the device sees all others as members.
func (d *device) connected(ctx context.Context) bool {
	s, err := d.status(ctx)
	if err != nil || len(s.Folders) != 1 {
		return false
	}
	n := 0
	for _, o := range s.Folders[0].Members {
		if o.Connected {
			n++
		}
	}
	return n == len(d.mesh.all())-1
}

// settle waits as scripts do, and judges. It returns whether all agree.
func (m *mesh) settle(ctx context.Context) bool {
	begun := time.Now()
	for _, d := range m.devices {
		if _, err := d.ask(ctx, "wait", "--timeout", "40s"); err != nil {
			m.fail("I1: %v", err)
			m.tellAll(ctx)
			return false
		}
	}
	took := time.Since(begun)
	first, diffs, err := m.differences()
	if err != nil {
		m.fail("look at the trees: %v", err)
		return false
	}
	if len(diffs) > 0 {
		m.unequal(ctx, diffs)
		return false
	}
	m.note("settled in %v: %d paths", took.Round(time.Millisecond), len(first))
	m.settled = append(m.settled, took)
	m.judge(ctx, first)
	m.remember(ctx, first)
	return true
}

// differences looks at all trees and tells how they differ from the first.
func (m *mesh) differences() (first listing, diffs []string, err error) {
	for i, d := range m.devices {
		l, err := look(d.root)
		if err != nil {
			return nil, nil, err
		}
		if i == 0 {
			first = l
			continue
		}
		diffs = append(diffs, m.book.compare(first, l, m.devices[0].name, d.name)...)
	}
	return first, diffs, nil
}

// unequal tells of trees that differ although all have waited, and whether
// they come to agree later.
func (m *mesh) unequal(ctx context.Context, diffs []string) {
	begun := time.Now()
	for time.Since(begun) < 15*time.Second && ctx.Err() == nil {
		if _, now, err := m.differences(); err == nil && len(now) == 0 {
			m.fail("I1: kith wait returned on all devices, and %v later the trees were equal, but not at once: %q", time.Since(begun).Round(time.Millisecond), diffs)
			return
		}
		pause(ctx, 50*time.Millisecond)
	}
	_, diffs, _ = m.differences()
	for _, d := range diffs {
		m.fail("I1: diverged: %s", d)
	}
	m.tellAll(ctx)
}

// tellAll notes what each device says of itself, and how the trees differ.
func (m *mesh) tellAll(ctx context.Context) {
	for _, d := range m.devices {
		s, err := d.status(ctx)
		m.note("%s: %+v %v", d.name, s.Folders, err)
	}
	_, diffs, _ := m.differences()
	for _, d := range diffs {
		m.note("  %s", d)
	}
}

// down ends all devices.
func (m *mesh) down() {
	m.users.Wait()
	for _, d := range m.all() {
		d.kill()
	}
}

// judgeOutside looks at what lies beside the folders (I5).
func (m *mesh) judgeOutside() {
	var want []string
	for _, d := range m.all() {
		want = append(want, d.name)
	}
	want = append(want, "canary", "canary/bird")
	for _, d := range m.all() {
		want = append(want, d.name+"/files", d.name+"/hold", d.name+"/home", d.name+"/"+d.name+".log")
	}
	slices.Sort(want)
	var have []string
	for _, pattern := range []string{"*", "*/*"} {
		found, _ := filepath.Glob(filepath.Join(m.dir, pattern))
		for _, f := range found {
			rel, _ := filepath.Rel(m.dir, f)
			have = append(have, rel)
		}
	}
	slices.Sort(have)
	if !slices.Equal(want, have) {
		m.fail("I5: beside the folders lies %q and not %q", have, want)
	}
	if text, err := os.ReadFile(filepath.Join(m.dir, "canary", "bird")); string(text) != "sings" {
		m.fail("I5: the canary is %q", errors.Join(err, fmt.Errorf("%s", text)))
	}
}
