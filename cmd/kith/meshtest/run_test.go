//go:build linux

package meshtest

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const folderName = "docs"

var deviceNames = []string{"laptop", "phone", "desk", "nas", "tower", "tablet"}

// setUp starts all devices, pairs each with each, and has all take part in the
// first one's folder.
func (m *mesh) setUp(ctx context.Context, program string) error {
	if err := m.canary(); err != nil {
		return err
	}
	for i := range m.plan.devices {
		d, err := m.newDevice(i, deviceNames[i], program)
		if err != nil {
			return err
		}
		m.devices = append(m.devices, d)
		if err := d.up(ctx); err != nil {
			return err
		}
	}
	r := rand.New(rand.NewPCG(m.seed, 3))
	for range 4 {
		u := &user{m: m, d: m.devices[0], rng: r}
		m.note("%s before: %s", u.d.name, ops["write"](u))
	}
	if _, err := m.devices[0].ask(ctx, "add", m.devices[0].root, "--name", folderName); err != nil {
		return err
	}
	if err := m.meet(ctx, r); err != nil {
		return err
	}
	if m.plan.backup {
		if err := m.keepBackup(ctx, program); err != nil {
			return err
		}
	}
	m.note("all take part")
	if !m.settle(ctx) {
		return fmt.Errorf("the devices do not agree before anything has happened")
	}
	return nil
}

// How devices are paired, and who offers the folder to whom.
const (
	pairAll   = "all"   // each with each; the first offers it to all
	pairChain = "chain" // each with the next, to which it offers it on
	pairStar  = "star"  // all with the last, which the first offers it to, and which offers it on
)

// meet pairs the devices and has all of them take part. Those that are not
// paired with each other get to know each other by the folder's roster.
func (m *mesh) meet(ctx context.Context, r *rand.Rand) error {
	pair := func(i, j int, share bool) error {
		if err := m.devices[i].pairWith(ctx, m.devices[j], share); err != nil {
			return fmt.Errorf("pair %s with %s: %w", m.devices[i].name, m.devices[j].name, err)
		}
		if !share {
			return nil
		}
		if d := m.devices[j]; r.IntN(3) == 0 {
			u := &user{m: m, d: d, rng: r}
			m.note("%s before: %s", d.name, ops["write"](u))
		}
		return m.devices[j].accept(ctx, m.devices[j].root)
	}
	last := len(m.devices) - 1
	for i := range m.devices {
		for j := i + 1; j <= last; j++ {
			share := i == 0
			switch m.pairing {
			case pairChain:
				if share = true; j != i+1 {
					continue
				}
			case pairStar:
				continue
			}
			if err := pair(i, j, share); err != nil {
				return err
			}
		}
	}
	if m.pairing != pairStar {
		return nil
	}
	if err := pair(0, last, true); err != nil {
		return err
	}
	for j := 1; j < last; j++ {
		if err := pair(last, j, true); err != nil {
			return err
		}
	}
	return nil
}

// canary puts something beside the folders that has to stay as it is.
func (m *mesh) canary() error {
	if err := os.MkdirAll(filepath.Join(m.dir, "canary"), 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(m.dir, "canary", "bird"), []byte("sings"), 0o600)
}

func (m *mesh) newDevice(i int, name, program string) (*device, error) {
	base := filepath.Join(m.dir, name)
	d := &device{
		mesh: m, name: name, program: program, busy: map[string]bool{},
		home: filepath.Join(base, "home"), root: filepath.Join(base, "files"), hold: filepath.Join(base, "hold"),
	}
	for _, dir := range []string{d.root, d.hold} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
	}
	if m.net != nil {
		d.namespace, d.listen = m.net.space(i), fmt.Sprintf("/ip4/%s/tcp/22000", m.net.address(i))
		return d, nil
	}
	// A port that is free now and stays the device's own over restarts.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d.listen = fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", l.Addr().(*net.TCPAddr).Port)
	return d, l.Close()
}

// accept takes the offer, as soon as it is there, at a path or as flags say.
func (d *device) accept(ctx context.Context, how ...string) error {
	for range 200 {
		out, err := d.ask(ctx, "offers")
		if err != nil {
			return err
		}
		var v struct{ Offers []struct{ Label string } }
		if err := json.Unmarshal(out, &v); err != nil {
			return err
		}
		if len(v.Offers) > 0 {
			_, err := d.ask(ctx, append([]string{"accept", folderName}, how...)...)
			return err
		}
		pause(ctx, 50*time.Millisecond)
	}
	return fmt.Errorf("%s is offered nothing", d.name)
}

// run has users and faults at work, and judges now and then and in the end.
func (m *mesh) run(ctx context.Context) {
	watch, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		m.pollAll(watch)
	}()
	switch {
	case m.lasting > 0:
		m.runStorm(ctx)
	case m.profile.calm:
		m.runCalm(ctx)
	case m.profile.apart:
		m.runApart(ctx)
	default:
		m.runBusy(ctx)
	}
	if !m.failed() {
		m.heal(ctx)
		m.settle(ctx)
	}
	if m.lasting > 0 && !m.failed() {
		m.noteBack(m.agreed)
		m.runAftermath(ctx)
	}
	if m.keeper != nil && !m.failed() {
		m.judgePast(ctx)
		m.judgeBackup(ctx)
	}
	cancel()
	<-done
	m.judgeOutside()
}

func (m *mesh) runBusy(ctx context.Context) {
	for step := 1; step <= m.ops && ctx.Err() == nil && !m.failed(); step++ {
		r := rand.New(rand.NewPCG(m.seed, uint64(step)<<8))
		m.act(m.devices[r.IntN(len(m.devices))], r, step)
		m.befall(ctx, r)
		switch x := r.IntN(100); {
		case x < 40:
		case x < 80:
			pause(ctx, time.Duration(r.IntN(80))*time.Millisecond)
		case x < 97:
			pause(ctx, time.Duration(150+r.IntN(300))*time.Millisecond)
		default:
			m.heal(ctx)
			m.settle(ctx)
		}
	}
}

// runCalm lets one user do one thing at a time: then the trees are just what
// that user made.
func (m *mesh) runCalm(ctx context.Context) {
	for step := 1; step <= m.ops && ctx.Err() == nil && !m.failed(); step++ {
		r := rand.New(rand.NewPCG(m.seed, uint64(step)<<8))
		d := m.devices[r.IntN(len(m.devices))]
		m.act(d, r, step)
		m.users.Wait()
		made, err := look(d.root)
		if err != nil {
			m.fail("look at the tree of %s: %v", d.name, err)
			return
		}
		if r.IntN(4) == 0 {
			m.befall(ctx, r)
		}
		m.heal(ctx)
		m.settle(ctx)
		for _, o := range m.devices {
			now, _ := look(o.root)
			for _, diff := range m.book.compare(made, now, "(made on "+d.name+")", o.name) {
				m.fail("I3: calm: step %d: %s", step, diff)
			}
			for p, n := range made {
				if n.kind == 'f' && now[p].mtime != n.mtime {
					m.fail("calm: step %d: %q has time %d on %s and not %d as made on %s", step, p, now[p].mtime, o.name, n.mtime, d.name)
				}
			}
		}
	}
}

// runApart lets users work while no device hears another, again and again.
func (m *mesh) runApart(ctx context.Context) {
	const together = 3 // operations of each device
	for step := 1; step <= m.ops && ctx.Err() == nil && !m.failed(); {
		r := rand.New(rand.NewPCG(m.seed, uint64(step)<<8))
		how := m.separate(ctx, r)
		m.note("apart: %s", how)
		for range 1 + r.IntN(together) {
			for _, d := range m.devices {
				m.act(d, rand.New(rand.NewPCG(m.seed, uint64(step)<<8|1)), step)
				step++
			}
			pause(ctx, time.Duration(r.IntN(60))*time.Millisecond)
		}
		m.users.Wait()
		m.heal(ctx)
		m.settle(ctx)
	}
}

// separate cuts all devices off from each other.
func (m *mesh) separate(ctx context.Context, r *rand.Rand) string {
	if m.net != nil {
		groups := make([]int, len(m.devices))
		for i := range groups {
			groups[i] = i
		}
		m.report(m.net.group(ctx, groups))
		return "each in a network of its own"
	}
	switch r.IntN(3) {
	case 0:
		for _, d := range m.devices {
			m.freeze(d)
		}
		return "all frozen"
	case 1:
		for _, d := range m.devices {
			m.report(d.quit(ctx))
		}
		return "all down"
	}
	for _, d := range m.devices {
		d.kill()
	}
	return "all killed"
}

func (m *mesh) report(err error) {
	if err != nil {
		m.fail("%v", err)
	}
}

// act has a user do something.
func (m *mesh) act(d *device, r *rand.Rand, step int) {
	total := 0
	var names []string
	for name, w := range m.profile.weights {
		names, total = append(names, name), total+w
	}
	slices.Sort(names)
	for range 12 {
		x := r.IntN(total)
		for _, name := range names {
			if x -= m.profile.weights[name]; x >= 0 {
				continue
			}
			u := &user{m: m, d: d, rng: r, step: step}
			begun := time.Now()
			if text := ops[name](u); text != "" {
				m.note("step %d (%d ms): %s %s %s", step, time.Since(begun).Milliseconds(), d.name, name, text)
				return
			}
			break
		}
	}
}
