package node

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/node/backup"
	"github.com/kithmesh/kith/node/backup/schedule"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/protocol/exchange"
	"github.com/kithmesh/kith/protocol/history"
)

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
		d.noteBackups(ctx)
		timer := time.NewTimer(staleEvery)
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

func (d *Device) noteBackups(ctx context.Context) {
	for _, s := range d.allShares() {
		if s.tree == nil {
			d.warnSelf(s)
			continue
		}
		st, now := s.Status(), s.State()
		for _, m := range s.backups() {
			if seen := st.Members[m.Device]; seen.Connected {
				at, same := time.Now(), st.Quiet && seen.Same
				d.noteGuard(s, m.Device, false, func(g *guard) { g.holds(seen.Held, same, now, at) })
			}
			d.warn(s, m.Device)
			if l := d.link(m.Device); l != nil && st.Members[m.Device].Connected && l.mayInspect(s.ID, now.Head) {
				if !d.inspect(ctx, l, s) {
					l.inspectAgain(s.ID, now.Head)
				}
			}
			if l := d.link(m.Device); l != nil && st.Quiet && st.Members[m.Device].Same {
				d.proveByAndBy(ctx, s, l)
			}
		}
	}
}

// inspectEvery is how often a vault is looked at while nothing changes.
const (
	inspectEvery = 5 * time.Minute
	inspectTime  = 20 * time.Second
)

// inspected is when a vault was looked at, and how far this device was then.
type inspected struct {
	at   time.Time
	head entry.Sequence
}

// mayInspect tells whether it is time to look at a vault, and notes that it is
// done.
func (l *link) mayInspect(id entry.FolderID, head entry.Sequence) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	last, done := l.inspected[id]
	if done && last.head == head && time.Since(last.at) < inspectEvery {
		return false
	}
	if l.inspected == nil {
		l.inspected = map[entry.FolderID]inspected{}
	}
	l.inspected[id] = inspected{time.Now(), head}
	return true
}

// inspectSoon is when a vault is looked at again that could not be asked.
const inspectSoon = 5 * time.Second

func (l *link) inspectAgain(id entry.FolderID, head entry.Sequence) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inspected[id] = inspected{time.Now().Add(inspectSoon - inspectEvery), head}
	time.AfterFunc(inspectSoon, l.device.changed.tell)
}

// toldHead notes how far a vault says it is. One that says less than before was
// set back; that is looked into when it is inspected.
func (d *Device) toldHead(s *share, m entry.DeviceID, index uint64, head entry.Sequence) {
	if s.tree == nil || !s.isBlind(m) || head == 0 {
		return
	}
	d.noteGuard(s, m, false, func(g *guard) {
		if g.ToldIndex != index {
			if g.Told > 0 {
				g.WasIndex, g.WasTold = g.ToldIndex, g.Told
			}
			g.ToldIndex, g.Told = index, 0
		}
		g.Told = max(g.Told, head)
	})
}

// holds notes what a connected vault says that it holds of this device's
// changes.
func (g *guard) holds(held entry.Sequence, same bool, now exchange.FolderState, at time.Time) {
	switch {
	case same:
		g.AsOf, g.Index, g.Head = at, now.Index, now.Head
	case g.nextIndex == now.Index && held >= g.nextHead:
		g.AsOf, g.Index, g.Head = g.nextAt, g.nextIndex, g.nextHead
	case g.nextIndex == now.Index:
		if g.Index == now.Index && g.Head > held {
			g.Index, g.Head = 0, 0 // it does not hold any more what it said
		}
		return
	}
	g.nextAt, g.nextIndex, g.nextHead = at, now.Index, now.Head
}

func (d *Device) noteGuard(s *share, m entry.DeviceID, matters bool, change func(*guard)) {
	if err := d.guards.change(s.ID, m, matters, change); err != nil {
		d.Log.Warn("note what is known of a backup", "folder", s.ID, "device", m, "error", err)
	}
}

// stale tells since when a member's vault lacks something that it should have
// by now; zero if it does not.
func (d *Device) stale(s *share, m entry.DeviceID) time.Time {
	g, known := d.guards.get(s.ID, m)
	if !known {
		return time.Time{}
	}
	now := s.State()
	if g.Index == now.Index && g.Head == now.Head && !g.AsOf.IsZero() {
		return time.Time{} // nothing has changed since
	}
	plan, _ := schedule.Parse(g.Schedule)
	last := g.AsOf
	if last.IsZero() {
		last = g.Since
	}
	if !plan.Stale(last, time.Now()) {
		return time.Time{}
	}
	return last
}

// warn calls the hook for a backup that has become stale, once for each time.
func (d *Device) warn(s *share, m entry.DeviceID) {
	since := d.stale(s, m)
	g, _ := d.guards.get(s.ID, m)
	command := d.guards.hook(s.ID)
	if since.IsZero() || g.Warned.Equal(since) || command == "" {
		return
	}
	d.noteGuard(s, m, true, func(g *guard) { g.Warned = since })
	d.callHook(s, command, d.nameOf(m), since)
}

// warnSelf does so for a vault of this device's own.
func (d *Device) warnSelf(s *share) {
	since, set := s.ownStale(), s.keeper.Settings()
	me := d.id.ID()
	g, _ := d.guards.get(s.ID, me)
	if since.IsZero() || g.Warned.Equal(since) || set.Hook == "" {
		return
	}
	d.noteGuard(s, me, true, func(g *guard) { g.Warned = since })
	d.callHook(s, set.Hook, d.Name(), since)
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
	plan, _ := schedule.Parse(s.keeper.Settings().Schedule)
	if plan.Stale(last, time.Now()) {
		return last
	}
	return time.Time{}
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

// inspect looks at the vault of a member that has just been met: whether it has
// what it had, and what rules it. It tells whether the member has answered.
func (d *Device) inspect(ctx context.Context, l *link, s *share) (answered bool) {
	ctx, cancel := context.WithTimeout(ctx, inspectTime)
	defer cancel()
	past := l.past(s.ID)
	defer past.Close()
	// What it is known to have had is what was known before it was asked.
	g, known := d.guards.get(s.ID, l.id)
	st, err := past.State(ctx)
	if err != nil {
		if !errors.Is(err, history.ErrRefused) {
			d.Log.Info("a backup could not be asked how it stands", "device", l.id, "error", err)
		}
		return false
	}
	code, text := "", ""
	switch {
	case !known:
	case g.WasTold > 0 && g.WasIndex != backup.IndexOf(st.Vault) && g.Vault != st.Vault:
		code, text = faultAnew, fmt.Sprintf("it begins anew: the store that it had, with %d changes, is gone", max(g.WasTold, g.Sequence))
	case !st.SetBack.IsZero() && !st.SetBack.Equal(g.SetBack):
		code, text = faultSetBack, fmt.Sprintf("its store was set back: a device remembered %d changes of it when it had fewer, %s", st.SetBackFrom, onDay(st.SetBack))
	case g.Sequence == 0 && g.Told == 0:
	case g.Sequence > 0 && g.Vault != st.Vault:
		code, text = faultAnew, fmt.Sprintf("it begins anew: the store that it had %s, with %d changes, is gone", onDay(g.Moment), g.Sequence)
	case st.Sequence < max(g.Sequence, g.toldOf(st.Vault)):
		code, text = faultSetBack, fmt.Sprintf("its store was set back: it had %d changes %s, and now has %d",
			max(g.Sequence, g.toldOf(st.Vault)), onDay(g.Moment), st.Sequence)
	default:
		if again := retold(ctx, past, &g); again > 0 {
			code, text = faultSetBack, fmt.Sprintf("its store was set back after %s: what it now has as change %d came later than that",
				g.Moment.Local().Format(time.DateTime), again)
		}
	}
	if code != "" {
		d.Log.Error("a backup does not have what it had", "device", l.id, "folder", s.ID, "problem", text)
	}
	if code == faultSetBack {
		if err := s.tree.HearAnew(ctx, l.id); err != nil {
			d.Log.Warn("hear a backup anew", "device", l.id, "error", err)
		}
	}
	d.noteGuard(s, l.id, code != "", func(g *guard) {
		if code != "" {
			g.fault(code, text)
			g.Told = 0
		}
		g.Vault, g.Sequence, g.Moment, g.Told = st.Vault, st.Sequence, st.Moment, max(g.Told, st.Sequence)
		g.ToldIndex, g.WasIndex, g.WasTold, g.SetBack = backup.IndexOf(st.Vault), 0, 0, st.SetBack
		g.Schedule, g.LastRun, g.Full, g.Damaged = st.Schedule, st.LastRun, st.Full, st.Damaged
	})
	d.changed.tell()
	return true
}

// toldOf is how far a vault said that it was.
func (g *guard) toldOf(v history.VaultID) entry.Sequence {
	if g.ToldIndex != backup.IndexOf(v) {
		return 0
	}
	return g.Told
}

// lookBack is how many changes before the last known are compared.
const lookBack = 64

// retold is a change that a vault had when it was last seen and that it has by
// now received later: it was set back, and has gone on since.
func retold(ctx context.Context, past *history.Client, g *guard) (again entry.Sequence) {
	done := errors.New("done")
	_ = past.Received(ctx, max(g.Sequence, lookBack)-lookBack, func(h history.Held) error {
		if h.Sequence > g.Sequence {
			return done
		}
		if h.Received.After(g.Moment) {
			again = h.Sequence
			return done
		}
		return nil
	})
	return again
}

func onDay(t time.Time) string { return "on " + t.Local().Format(time.DateTime) }

// guardProblems are the conditions of a folder's backups.
func (d *Device) guardProblems(s *share) (out []control.Problem) {
	label := s.controlled().Label
	if s.tree == nil {
		if since := s.ownStale(); !since.IsZero() {
			out = append(out, control.Problem{
				Code: "backup_stale", Message: "not all of the folder's devices were met since " + since.Local().Format(time.DateTime),
				Hint: "are they up, and on this network?",
			})
		}
		return out
	}
	for _, m := range s.backups() {
		name := d.nameOf(m.Device)
		g, _ := d.guards.get(s.ID, m.Device)
		if since := d.stale(s, m.Device); !since.IsZero() {
			out = append(out, control.Problem{
				Code: "backup_stale", Message: fmt.Sprintf("%s lacks what has changed since %s", name, since.Local().Format(time.DateTime)),
				Hint: "is it up, and on this network?",
			})
		}
		for _, f := range g.Faults {
			out = append(out, control.Problem{
				Code: f.Code, Message: fmt.Sprintf("%s: %s (found %s)", name, f.Text, f.Found.Local().Format(time.DateTime)),
				Hint: fmt.Sprintf("what is here is stored there anew; kith verify %s --accept ends this note", label),
			})
		}
		if g.Full {
			out = append(out, control.Problem{
				Code: "vault_full", Message: name + " takes nothing more: its quota or its disk is used up", Hint: "on it: kith retention " + label + " --quota SIZE",
			})
		}
		if g.Damaged > 0 {
			out = append(out, control.Problem{
				Code: "vault_damaged", Message: fmt.Sprintf("%s found %d damaged blocks or versions in its store", name, g.Damaged),
				Hint: "it heals them from devices that have them; kith verify " + label,
			})
		}
	}
	return out
}
