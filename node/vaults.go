package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/backup"
	"github.com/kithmesh/kith/node/backup/schedule"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/vault"
	"github.com/kithmesh/kith/node/vault/retention"
	"github.com/kithmesh/kith/protocol/history"
)

// findKeeper is the share that a text names and whose past this device keeps.
func (d *Device) findKeeper(text string) (*share, error) {
	s, err := d.findShare(text)
	if err != nil {
		return nil, err
	}
	if s.keeper == nil {
		return nil, fmt.Errorf("%q: %w", text, control.ErrNoVault)
	}
	return s, nil
}

// Retention implements [control.Vaults].
func (d *Device) Retention(_ context.Context, text string) (control.Retention, error) {
	s, err := d.findShare(text)
	if err != nil {
		return control.Retention{}, fmt.Errorf("retention: %w", err)
	}
	return s.retention(), nil
}

func (s *share) retention() control.Retention {
	out := control.Retention{Folder: s.controlled(), Keep: keepingOf(backup.Settings{Policy: retention.Default()})}
	if s.keeper == nil {
		return out
	}
	st := s.keeper.Status()
	out.Keep, out.History = keepingOf(s.keeper.Settings()), true
	out.Versions, out.Bytes, out.Since = st.Totals.Versions, st.Totals.PackBytes, st.Totals.Oldest
	return out
}

func keepingOf(set backup.Settings) control.Keeping {
	p := set.Policy
	return control.Keeping{
		Last: &p.Last, Hourly: &p.Hourly, Daily: &p.Daily, Weekly: &p.Weekly, Monthly: &p.Monthly, Yearly: &p.Yearly,
		Within: &p.Within, WithinHourly: &p.WithinHourly, WithinDaily: &p.WithinDaily, WithinWeekly: &p.WithinWeekly,
		WithinMonthly: &p.WithinMonthly, WithinYearly: &p.WithinYearly, MinimumHold: &p.Hold, Quota: &set.Quota,
	}
}

// SetRetention implements [control.Vaults].
func (d *Device) SetRetention(ctx context.Context, r control.RetentionRequest) (control.Retention, error) {
	s, err := d.findShare(r.Folder)
	if err == nil && r.History != nil {
		if err = s.setHistory(ctx, *r.History); err == nil {
			s, err = d.findShare(r.Folder) // it may have been started anew
		}
	}
	if err == nil && s.keeper == nil && r.History == nil {
		err = fmt.Errorf("%q: %w", r.Folder, control.ErrNoVault)
	}
	if err == nil && s.keeper != nil {
		err = s.keeper.SetSettings(ctx, retained(s.keeper.Settings(), r))
	}
	if errors.Is(err, retention.ErrPolicy) {
		err = fmt.Errorf("%w: %w", control.ErrInvalid, err)
	}
	if err != nil {
		return control.Retention{}, fmt.Errorf("retention: %w", err)
	}
	return s.retention(), nil
}

// retained is what rules a vault after a change.
func retained(set backup.Settings, r control.RetentionRequest) backup.Settings {
	if r.Default {
		set.Policy = defaultPolicy()
	}
	p := &set.Policy
	for to, from := range map[*int]*int{
		&p.Last: r.Keep.Last, &p.Hourly: r.Keep.Hourly, &p.Daily: r.Keep.Daily, &p.Weekly: r.Keep.Weekly,
		&p.Monthly: r.Keep.Monthly, &p.Yearly: r.Keep.Yearly,
	} {
		if from != nil {
			*to = *from
		}
	}
	for to, from := range map[*time.Duration]*time.Duration{
		&p.Within: r.Keep.Within, &p.WithinHourly: r.Keep.WithinHourly, &p.WithinDaily: r.Keep.WithinDaily, &p.WithinWeekly: r.Keep.WithinWeekly,
		&p.WithinMonthly: r.Keep.WithinMonthly, &p.WithinYearly: r.Keep.WithinYearly, &p.Hold: r.Keep.MinimumHold,
	} {
		if from != nil {
			*to = *from
		}
	}
	if r.Keep.Quota != nil {
		set.Quota = *r.Keep.Quota
	}
	return set
}

// defaultPolicy is what a backup keeps unless its owner says otherwise. Days
// and hours begin when they do for people here.
func defaultPolicy() retention.Policy {
	p := retention.Default()
	p.Zone = time.Local
	return p
}

// SetSchedule implements [control.Vaults]. On a device with a tree there is
// only a hook to set: when a backup is made is for the backup to say.
func (d *Device) SetSchedule(ctx context.Context, r control.ScheduleRequest) (control.Schedule, error) {
	s, err := d.findShare(r.Folder)
	if err != nil {
		return control.Schedule{}, fmt.Errorf("schedule: %w", err)
	}
	if s.tree != nil {
		return d.setHook(ctx, s, r)
	}
	set := s.keeper.Settings()
	if r.When != "" {
		plan, err := schedule.Parse(r.When)
		if err != nil {
			return control.Schedule{}, fmt.Errorf("schedule of %q: %w: %w", r.Folder, control.ErrInvalid, err)
		}
		set.Schedule = plan.String()
		if plan.Continuous() {
			set.Schedule = ""
		}
	}
	if r.Hook != nil {
		set.Hook = *r.Hook
	}
	if r.When != "" || r.Hook != nil {
		if err := s.keeper.SetSettings(ctx, set); err != nil {
			return control.Schedule{}, fmt.Errorf("schedule of %q: %w", r.Folder, err)
		}
	}
	st := s.keeper.Status()
	return control.Schedule{Folder: s.controlled(), When: orContinuous(set.Schedule), Hook: set.Hook, Last: st.LastRun, Next: st.NextRun}, nil
}

func orContinuous(text string) string {
	if text == "" {
		return "continuous"
	}
	return text
}

// setHook sets the hook of a device with a tree, and tells how its backups are
// made: as those that are connected say now, the others when they last did.
func (d *Device) setHook(ctx context.Context, s *share, r control.ScheduleRequest) (control.Schedule, error) {
	out := control.Schedule{Folder: s.controlled(), When: orContinuous("")}
	if r.When != "" {
		err := fmt.Errorf("%w: schedule of %q: this device is no backup of it", control.ErrInvalid, r.Folder)
		return out, control.WithHint(err, "set the schedule on the device that keeps the backup")
	}
	if r.Hook != nil {
		if err := d.guards.SetHook(s.ID, *r.Hook); err != nil {
			return out, fmt.Errorf("schedule of %q: %w", r.Folder, err)
		}
	}
	out.Hook = d.guards.Hook(s.ID)
	for _, m := range s.backups() {
		g := d.guards.Get(s.ID, m.Device)
		when, last := g.Schedule, g.LastRun
		if st, ok := s.askVault(ctx, m.Device); ok {
			when, last = st.Schedule, st.LastRun
		}
		if last.After(out.Last) {
			out.Last, out.When = last, orContinuous(when)
		}
	}
	return out, nil
}

// askTime is how long a vault may take to tell a person how it stands.
const askTime = 3 * time.Second

// askVault has the vault of a member tell how it stands, if it can be asked.
func (s *share) askVault(ctx context.Context, id entry.DeviceID) (history.State, bool) {
	l := s.device.link(id)
	if l == nil || !l.meets() {
		return history.State{}, false
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	past := l.past(s.ID)
	defer past.Close()
	st, err := past.State(ctx)
	if err != nil {
		s.device.Log.Info("a backup could not be asked how it stands", "device", id, "error", err)
	}
	return st, err == nil
}

// vaultStatus is the vault of this device, if it keeps one.
func (s *share) vaultStatus() *control.VaultStatus {
	if s.keeper == nil {
		return nil
	}
	st, set := s.keeper.Status(), s.keeper.Settings()
	return &control.VaultStatus{
		Versions: st.Totals.Versions, Bytes: st.Totals.PackBytes, Quota: set.Quota, Since: st.Totals.Oldest, Schedule: set.Schedule,
		LastRun: st.LastRun, NextRun: st.NextRun, Scrubbed: st.Scrubbed, Damaged: st.Totals.Damaged,
		Store: storeOf(st),
	}
}

// Prune implements [control.Vaults].
func (d *Device) Prune(ctx context.Context, r control.PruneRequest) (control.Pruned, error) {
	s, err := d.findKeeper(r.Folder)
	if err != nil {
		return control.Pruned{}, fmt.Errorf("prune: %w", err)
	}
	v, policy := s.keeper.Vault(), s.keeper.Settings().Policy
	plan, err := v.Plan(ctx, policy, time.Now(), nil)
	if err != nil {
		return control.Pruned{}, fmt.Errorf("prune %q: %w", r.Folder, err)
	}
	out := control.Pruned{
		Folder: s.controlled(), DryRun: r.DryRun, Versions: plan.Versions, Dropped: plan.Dropped, Freed: plan.Bytes,
		Since: plan.Since, Moments: s.keptMoments(&plan),
	}
	if r.DryRun {
		return out, nil
	}
	p, err := v.Prune(ctx, policy)
	if err != nil {
		return out, fmt.Errorf("prune %q: %w", r.Folder, err)
	}
	out.Dropped, out.Freed = p.Versions, p.Freed
	t, err := v.Totals()
	out.Waiting = t.Marked
	return out, err
}

// keptMoments are the moments that are kept, with why.
func (s *share) keptMoments(plan *vault.Plan) (out []control.KeptMoment) {
	labels := map[int64][]string{}
	if pins, err := s.keeper.Vault().Pins(); err == nil {
		for _, p := range pins {
			labels[p.At.UnixMicro()] = append(labels[p.At.UnixMicro()], "snapshot "+cmp.Or(s.openLabel(p.Label), p.ID.String()))
		}
	}
	for _, m := range plan.Moments {
		k := control.KeptMoment{At: m.At}
		for _, r := range m.Rules {
			if r != retention.Pinned {
				k.Reasons = append(k.Reasons, r.String())
			}
		}
		k.Reasons = append(k.Reasons, labels[m.At.UnixMicro()]...)
		if len(k.Reasons) == 0 {
			k.Reasons = []string{"snapshot"}
		}
		out = append(out, k)
	}
	return out
}
