package backup

import (
	"context"
	"fmt"
	"os"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/node/backup/schedule"
	"github.com/kithmesh/kith/node/durable"
	"github.com/kithmesh/kith/node/vault"
)

// What follows is for the owner of the vault alone.

// Settings are what rules the vault now.
func (k *Keeper) Settings() Settings { return *k.settings.Load() }

// SetSettings changes what rules the vault. It wraps retention.ErrPolicy or
// schedule.ErrSchedule for what cannot be.
func (k *Keeper) SetSettings(ctx context.Context, s Settings) error {
	plan, err := schedule.Parse(s.Schedule)
	if err == nil {
		err = s.Policy.Check()
	}
	if err == nil {
		err = s.write(k.path(settingsFile))
	}
	if err != nil {
		return fmt.Errorf("set what rules the vault of folder %s: %w", k.ID, err)
	}
	k.settings.Store(&s)
	k.vault.SetLimits(vault.Limits{Quota: s.Quota, KeepFree: s.KeepFree})
	return k.do(ctx, func(a *actor) {
		a.runs.plan, a.full, a.broken = plan, nil, nil
		if !plan.Continuous() && a.runs.last.IsZero() {
			a.runs.open = false // begins at once
		}
	})
}

// RunNow has the members asked for what is new, whatever the schedule says.
func (k *Keeper) RunNow(ctx context.Context) error {
	return k.do(ctx, func(a *actor) {
		a.runs.forced = true
		for _, m := range a.roll {
			m.barren = m.barren.AddDate(-1, 0, 0)
		}
		a.retry()
	})
}

// Heal asks all connected members for what is damaged.
func (k *Keeper) Heal(ctx context.Context) error {
	var from []Member
	err := k.do(ctx, func(a *actor) { from = a.members() })
	if err == nil {
		k.heal(ctx, from)
		err = k.do(ctx, func(*actor) {}) // so that the status shows it
	}
	return err
}

// Accept ends the conditions that a person has seen: damage that nobody can
// mend is given up, and a vault that was set back goes on from where it is.
func (k *Keeper) Accept(ctx context.Context) error {
	damaged, err := k.vault.Damaged()
	if err == nil && len(damaged) > 0 {
		err = k.vault.GiveUp(damaged)
	}
	if err != nil {
		return err
	}
	return k.do(ctx, func(a *actor) {
		a.notes.SetBack, a.noted = nil, false
		a.setBack.Store(nil)
	})
}

// Doubt names the devices whose gifts are not to be relied on any more.
func (k *Keeper) Doubt(devices []entry.DeviceID) { k.vault.Doubt(devices) }

// KeepRoster writes the statements of the folder beside the vault, so that its
// directory alone can be opened with the words of a recovery.
func (k *Keeper) KeepRoster(statements []roster.Statement) error {
	var b []byte
	for i := range statements {
		e := statements[i].Encode()
		b = append(b, byte(len(e)>>24), byte(len(e)>>16), byte(len(e)>>8), byte(len(e)))
		b = append(b, e...)
	}
	return durable.Write(k.path(rosterFile), b, 0o600)
}

// ReadRoster reads what KeepRoster wrote to the directory of a keeper.
func ReadRoster(dir string) (out []roster.Statement, err error) {
	b, err := os.ReadFile((&Keeper{Options: Options{Dir: dir}}).path(rosterFile))
	if err != nil {
		return nil, err
	}
	for len(b) > 0 {
		n := -1
		if len(b) >= 4 {
			n = int(b[0])<<24 | int(b[1])<<16 | int(b[2])<<8 | int(b[3])
		}
		if n < 0 || n > len(b)-4 {
			return nil, fmt.Errorf("read the roster in %q: it is cut short", dir)
		}
		s, err := roster.Decode(b[4 : 4+n])
		if err != nil {
			return nil, fmt.Errorf("read the roster in %q: %w", dir, err)
		}
		out, b = append(out, s), b[4+n:]
	}
	return out, nil
}
