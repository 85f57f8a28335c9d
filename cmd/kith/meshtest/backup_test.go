//go:build linux

package meshtest

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"
)

var flagBackup = flag.Bool("mesh-backup", false, "one device more, which keeps a backup and can read nothing: what all agreed on must come back from it")

// backupName is the name of the device that keeps a backup.
const backupName = "vault"

// agreement is a tree on which all agreed while the backup had all of it, and
// when that was.
type agreement struct {
	at   time.Time
	tree listing
}

// maxRestored is how many agreements of a run are restored in the end.
const maxRestored = 12

// all are the devices, the one that keeps a backup included.
func (m *mesh) all() []*device {
	if m.keeper == nil {
		return m.devices
	}
	return append(slices.Clone(m.devices), m.keeper)
}

// keepBackup has one device more take part, as a backup. Only the first is
// paired with it: the others get to know it by the folder's roster.
func (m *mesh) keepBackup(ctx context.Context, program string) error {
	d, err := m.newDevice(len(m.devices), backupName, program)
	if err != nil {
		return err
	}
	m.keeper = d
	if err := d.up(ctx); err != nil {
		return err
	}
	first := m.devices[0]
	if err := first.pairWith(ctx, d, false); err != nil {
		return fmt.Errorf("pair %s with %s: %w", first.name, d.name, err)
	}
	if _, err := first.ask(ctx, "share", folderName, d.name, "--role", "backup"); err != nil {
		return err
	}
	return d.accept(ctx, "--role", "backup")
}

// remember waits until the backup has what all have agreed on.
func (m *mesh) remember(ctx context.Context, l listing) {
	if m.keeper == nil {
		return
	}
	if _, err := m.devices[0].ask(ctx, "wait", "--for", "protected", "--timeout", "40s"); err != nil {
		m.fail("I7: %v", err)
		return
	}
	pause(ctx, 3*time.Millisecond)
	m.agreements = append(m.agreements, agreement{time.Now(), l})
	m.note("the backup has it: agreement %d", len(m.agreements))
	pause(ctx, 3*time.Millisecond)
}

// judgePast restores what all had agreed on from the backup, and compares
// (I7).
func (m *mesh) judgePast(ctx context.Context) {
	r := rand.New(rand.NewPCG(m.seed, 16))
	picked := r.Perm(len(m.agreements))
	picked = picked[:min(maxRestored, len(picked))]
	slices.Sort(picked)
	for _, i := range picked {
		a, d := m.agreements[i], m.devices[r.IntN(len(m.devices))]
		to := filepath.Join(d.hold, fmt.Sprintf("restored %d", i))
		_, err := d.ask(ctx, "restore", folderName, "--at", a.at.UTC().Format(time.RFC3339Nano), "--from", m.keeper.id, "--to", to)
		if err != nil {
			m.fail("I7: agreement %d: %v", i+1, err)
			continue
		}
		got, err := look(to)
		m.report(err)
		for _, diff := range m.book.compareExactly(a.tree, got, "(agreed)", fmt.Sprintf("(agreement %d, restored on %s)", i+1, d.name)) {
			m.fail("I7: %s", diff)
		}
		m.report(os.RemoveAll(to))
	}
	m.note("%d of %d agreements were restored", len(picked), len(m.agreements))
}

// judgeBackup looks at what the backup says of itself.
func (m *mesh) judgeBackup(ctx context.Context) {
	s, err := m.keeper.status(ctx)
	switch {
	case err != nil:
		m.fail("status of %s: %v", m.keeper.name, err)
	case len(s.Folders) != 1 || len(s.Folders[0].Problems) > 0:
		m.fail("I7: status of %s complains: %+v", m.keeper.name, s.Folders)
	}
	if out, err := m.keeper.ask(ctx, "verify", folderName); err != nil {
		m.fail("I7: %v: %s", err, out)
	}
}
