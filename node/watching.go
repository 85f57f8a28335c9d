package node

import (
	"context"
	"errors"
	"os/exec"
	"runtime"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/node/backup"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/folder"
	"github.com/kithmesh/kith/node/guard"
	"github.com/kithmesh/kith/protocol/history"
)

// guardsFile is where what is known of backups is remembered.
const guardsFile = "guards.json"

// How often the backups are looked at.
const (
	guardEvery = time.Second
	staleEvery = time.Minute
	hookTime   = 5 * time.Minute
)

// watchBackups keeps what is known of the vaults of members: it notes when they
// hold all that is here, and sees to it that a person hears of a stale one.
func (d *Device) watchBackups(ctx context.Context) {
	for {
		changed := d.changed.next()
		next := d.noteBackups(ctx)
		d.guards.Tick()
		timer := time.NewTimer(min(next, staleEvery))
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		timer.Stop()
		if pause(ctx, guardEvery) != nil {
			return
		}
	}
}

// backups are the other members of a share that keep a vault, and have joined.
func (s *share) backups() (out []roster.Member) {
	for _, m := range s.members() {
		if m.Role == entry.RoleBackup && m.Device != s.device.id.ID() && s.joined(m.Device) {
			out = append(out, m)
		}
	}
	return out
}

// noteBackups notes how the backups of all folders stand, looks at those whose
// turn it is, and then has one of them prove what it holds. It tells in how long
// it is somebody's turn again, if nothing changes until then.
func (d *Device) noteBackups(ctx context.Context) (next time.Duration) {
	var due []guard.Inspection
	next = staleEvery
	shares := d.allShares()
	for _, s := range shares {
		if s.tree == nil {
			d.warnSelf(s)
			continue
		}
		st, now := s.Status(), s.mark()
		for _, m := range s.backups() {
			d.noteBackup(s, m.Device, now, &st)
			d.warn(s, m.Device)
			seen, l := st.Members[m.Device], d.link(m.Device)
			if l == nil || !seen.Connected {
				continue
			}
			g := d.guards.Get(s.ID, m.Device)
			turn, in := l.turns.Inspect(s.ID, &g, guard.View{Head: now.Head, Behind: seen.NeedFiles > 0}, time.Now())
			if turn {
				due = append(due, d.inspection(s, l, now.Head)) // which tells of a change in the end
				continue
			}
			next = min(next, in)
		}
	}
	guard.Inspect(ctx, due)
	for _, s := range withTrees(shares) {
		st := s.Status()
		for _, m := range s.backups() {
			if l := d.link(m.Device); l != nil && st.Quiet && st.Members[m.Device].Same {
				d.proveByAndBy(ctx, s, l)
			}
		}
	}
	return next
}

// noteBackup notes how far a backup holds what is here. One that is away holds
// what it held, and all of it until something changes.
func (d *Device) noteBackup(s *share, m entry.DeviceID, now guard.Mark, st *folder.Status) {
	seen, at := st.Members[m], time.Now()
	if !seen.Connected {
		if g := d.guards.Get(s.ID, m); !st.Quiet || !g.HeldAll(now) {
			return
		}
	}
	same := st.Quiet && (seen.Same || !seen.Connected)
	d.guards.Note(s.ID, m, func(g *guard.Guard) { g.Holds(seen.Held, same, now, at) })
}

// mark is how far this device is with a folder.
func (s *share) mark() guard.Mark {
	st := s.State()
	return guard.Mark{Index: st.Index, Head: st.Head}
}

// inspection is the vault of a member that is looked at, where this device is so
// far.
func (d *Device) inspection(s *share, l *link, head entry.Sequence) guard.Inspection {
	past := l.past(s.ID)
	return guard.Inspection{
		Vault: past, Index: backup.IndexOf,
		Known: func() guard.Guard { return d.guards.Get(s.ID, l.id) },
		Done: func(ctx context.Context, seen guard.Seen, err error) {
			defer past.Close()
			if err != nil {
				if !errors.Is(err, history.ErrRefused) {
					d.Log.Info("a backup could not be asked how it stands", "device", l.id, "error", err)
				}
				l.turns.Unanswered(s.ID, head, time.Now())
				time.AfterFunc(guard.InspectAgain, d.changed.tell)
				return
			}
			d.inspected(ctx, s, l, &seen)
		},
	}
}

// inspected notes what an inspection has shown.
func (d *Device) inspected(ctx context.Context, s *share, l *link, seen *guard.Seen) {
	if seen.Fault.Code != "" {
		d.Log.Error("a backup does not have what it had", "device", l.id, "folder", s.ID, "problem", seen.Fault.Text)
	}
	if seen.Fault.Code == guard.SetBack {
		if err := s.tree.HearAnew(ctx, l.id); err != nil {
			d.Log.Warn("hear a backup anew", "device", l.id, "error", err)
		}
	}
	d.guards.Note(s.ID, l.id, func(g *guard.Guard) { g.Saw(seen) })
	d.changed.tell()
}

// toldHead notes how far a vault says it is.
func (d *Device) toldHead(s *share, m entry.DeviceID, vault guard.Mark) {
	if s.tree != nil && s.isBlind(m) && vault.Head > 0 {
		d.guards.Note(s.ID, m, func(g *guard.Guard) { g.Says(vault) })
	}
}

// warn calls the hook for a backup that has become stale, once for each time.
func (d *Device) warn(s *share, m entry.DeviceID) {
	g := d.guards.Get(s.ID, m)
	d.warnOf(s, m, g.Stale(s.mark(), time.Now()), d.guards.Hook(s.ID))
}

// warnSelf does so for a vault of this device's own.
func (d *Device) warnSelf(s *share) {
	d.warnOf(s, d.id.ID(), s.ownStale(), s.keeper.Settings().Hook)
}

func (d *Device) warnOf(s *share, m entry.DeviceID, since time.Time, command string) {
	if g := d.guards.Get(s.ID, m); since.IsZero() || g.Warned.Equal(since) || command == "" {
		return
	}
	d.guards.Note(s.ID, m, func(g *guard.Guard) { g.Warned = since })
	d.callHook(s, command, d.nameOf(m), since)
}

// ownStale is since when the vault of this backup was not up to date with all
// connected members although it should have been.
func (s *share) ownStale() time.Time {
	last := s.keeper.Status().LastRun
	if last.IsZero() {
		s.mu.Lock()
		last = s.record.AddedAt
		s.mu.Unlock()
	}
	return guard.Overdue(s.keeper.Settings().Schedule, last, time.Now())
}

// callHook runs a command of a person's, beside everything else.
func (d *Device) callHook(s *share, command, device string, since time.Time) {
	c := s.controlled()
	d.Log.Warn("a backup is stale", "folder", c.Label, "device", device, "since", since)
	d.tasks.start(func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, hookTime)
		defer cancel()
		shell, flag := "/bin/sh", "-c"
		if runtime.GOOS == "windows" {
			shell, flag = "cmd", "/C"
		}
		cmd := exec.CommandContext(ctx, shell, flag, command)
		cmd.Env = append(cmd.Environ(), "KITH_EVENT=backup_stale", "KITH_FOLDER="+c.Label, "KITH_DEVICE="+device,
			"KITH_SINCE="+since.UTC().Format(time.RFC3339))
		if out, err := cmd.CombinedOutput(); err != nil {
			d.Log.Warn("the hook failed", "folder", c.Label, "error", err, "output", string(out[:min(len(out), 500)]))
		}
		return nil
	})
}

// guardProblems are the conditions of a folder's backups.
func (d *Device) guardProblems(s *share) (out []control.Problem) {
	if s.tree == nil {
		return guardProblems(guard.OwnProblems(s.ownStale()))
	}
	label := s.controlled().Label
	for _, m := range s.backups() {
		g := d.guards.Get(s.ID, m.Device)
		out = append(out, guardProblems(g.Problems(d.nameOf(m.Device), label, g.Stale(s.mark(), time.Now())))...)
	}
	return out
}

func guardProblems(all []guard.Problem) (out []control.Problem) {
	for _, p := range all {
		out = append(out, control.Problem{Code: p.Code, Message: p.Message, Hint: p.Hint})
	}
	return out
}

// protection says how far a backup protects what is here. One that holds all
// of it protects it as of now, and so does one that is away, if nothing has
// changed since it held all.
func (d *Device) protection(s *share, f *control.FolderStatus, m *control.MemberStatus, st *folder.Status) {
	g := d.guards.Get(s.ID, m.ID)
	seen := st.Members[m.ID]
	same := st.Quiet && (seen.Same || !seen.Connected && g.HeldAll(s.mark()))
	if !g.Known() && !same {
		return
	}
	m.ProtectedAsOf, m.Schedule, m.LastProven, m.LastDrill = g.AsOf, g.Schedule, g.Proven, g.Drilled
	if same {
		m.ProtectedAsOf = time.Now()
	}
	if m.ProtectedAsOf.After(f.ProtectedAsOf) {
		f.ProtectedAsOf = m.ProtectedAsOf
	}
}
