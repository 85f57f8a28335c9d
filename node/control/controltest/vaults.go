package controltest

import (
	"context"
	"fmt"
	"time"

	"github.com/kithmesh/kith/node/control"
)

// Vaults are the answers of a device about what it keeps, and about proofs.
type Vaults struct {
	Retention control.Retention
	Schedule  control.Schedule
	Stored    control.Stored
	Pruned    control.Pruned
	Steps     []control.VerifyProgress // what Verify and Drill tell before they end
	Verified  []control.Verified       // the answer of both
}

// Recovery are the answers of a device about the words that open everything.
type Recovery struct {
	Draft     control.RecoveryDraft
	State     control.RecoveryState // the answer of ConfirmRecovery and TestRecovery
	Steps     []string              // what Recover tells before it ends
	Recovered control.Recovered
}

// vaults answers the questions of [control.Vaults], [control.Proofs] and
// [control.Recovery].
type vaults struct{ d *Device }

func (v vaults) Retention(ctx context.Context, folder string) (control.Retention, error) {
	return v.d.Vaults.Retention, v.d.answer(ctx, "Retention", folder)
}

func (v vaults) SetRetention(ctx context.Context, r control.RetentionRequest) (control.Retention, error) {
	history := "as it was"
	if r.History != nil {
		history = fmt.Sprint(*r.History)
	}
	request := fmt.Sprintf("{Folder:%s Keep:%s Default:%v History:%s}", r.Folder, said(r.Keep), r.Default, history)
	return v.d.Vaults.Retention, v.d.answer(ctx, "SetRetention", request)
}

// said tells what is set in a Keeping.
func said(k control.Keeping) string {
	text := ""
	for _, f := range []struct {
		name  string
		value *int
	}{
		{"last", k.Last}, {"hourly", k.Hourly}, {"daily", k.Daily}, {"weekly", k.Weekly}, {"monthly", k.Monthly}, {"yearly", k.Yearly},
	} {
		if f.value != nil {
			text += fmt.Sprintf(" %s=%d", f.name, *f.value)
		}
	}
	for _, f := range []struct {
		name  string
		value *time.Duration
	}{
		{"within", k.Within}, {"within-hourly", k.WithinHourly}, {"within-daily", k.WithinDaily}, {"within-weekly", k.WithinWeekly},
		{"within-monthly", k.WithinMonthly}, {"within-yearly", k.WithinYearly}, {"hold", k.MinimumHold},
	} {
		if f.value != nil {
			text += fmt.Sprintf(" %s=%v", f.name, *f.value)
		}
	}
	if k.Quota != nil {
		text += fmt.Sprintf(" quota=%d", *k.Quota)
	}
	return "[" + text + " ]"
}

func (v vaults) SetSchedule(ctx context.Context, r control.ScheduleRequest) (control.Schedule, error) {
	hook := "as it was"
	if r.Hook != nil {
		hook = fmt.Sprintf("%q", *r.Hook)
	}
	return v.d.Vaults.Schedule, v.d.answer(ctx, "SetSchedule", fmt.Sprintf("{Folder:%s When:%s Hook:%s}", r.Folder, r.When, hook))
}

func (v vaults) SetStore(ctx context.Context, r control.StoreRequest) (control.Stored, error) {
	url := "as it was"
	if r.URL != nil {
		url = fmt.Sprintf("%q", *r.URL)
	}
	return v.d.Vaults.Stored, v.d.answer(ctx, "SetStore", fmt.Sprintf("{Folder:%s URL:%s Keys:%q %q Region:%q}", r.Folder, url, r.AccessKey, r.SecretKey, r.Region))
}

func (v vaults) Prune(ctx context.Context, r control.PruneRequest) (control.Pruned, error) {
	return v.d.Vaults.Pruned, v.d.answer(ctx, "Prune", r)
}

func (v vaults) Verify(ctx context.Context, r control.VerifyRequest, progress func(control.VerifyProgress) error) ([]control.Verified, error) {
	return v.d.Vaults.Verified, tell(v.d.Vaults.Steps, progress, func() error { return v.d.answer(ctx, "Verify", r) })
}

func (v vaults) Drill(ctx context.Context, r control.VerifyRequest, progress func(control.VerifyProgress) error) ([]control.Verified, error) {
	return v.d.Vaults.Verified, tell(v.d.Vaults.Steps, progress, func() error { return v.d.answer(ctx, "Drill", r) })
}

func (v vaults) DraftRecovery(ctx context.Context) (control.RecoveryDraft, error) {
	return v.d.Recovery.Draft, v.d.answer(ctx, "DraftRecovery", "")
}

func (v vaults) ConfirmRecovery(ctx context.Context, draft string, answers []string) (control.RecoveryState, error) {
	return v.d.Recovery.State, v.d.answer(ctx, "ConfirmRecovery", fmt.Sprintf("%s %q", draft, answers))
}

func (v vaults) TestRecovery(ctx context.Context, phrase string) (control.RecoveryState, error) {
	return v.d.Recovery.State, v.d.answer(ctx, "TestRecovery", phrase)
}

func (v vaults) Recover(ctx context.Context, r control.RecoverRequest, progress func(string) error) (control.Recovered, error) {
	return v.d.Recovery.Recovered, tell(v.d.Recovery.Steps, progress, func() error { return v.d.answer(ctx, "Recover", r) })
}
