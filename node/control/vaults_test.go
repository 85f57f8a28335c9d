package control_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/control/controltest"
)

func everythingKept() control.Keeping {
	return control.Keeping{
		Last: new(1), Hourly: new(2), Daily: new(0), Weekly: new(control.KeepAll), Monthly: new(5), Yearly: new(6),
		Within: new(48 * time.Hour), WithinHourly: new(time.Duration(0)), WithinDaily: new(24 * time.Hour), WithinWeekly: new(time.Hour),
		WithinMonthly: new(control.KeepForever), WithinYearly: new(time.Second), MinimumHold: new(time.Minute), Quota: new(int64(1 << 40)),
	}
}

func TestEveryAnswerAboutVaultsCrossesTheSocketWhole(t *testing.T) {
	d := &controltest.Device{Vaults: controltest.Vaults{
		Retention: control.Retention{Folder: docs, Keep: everythingKept(), History: true, Versions: 3, Bytes: 4, Since: instant},
		Schedule:  control.Schedule{Folder: docs, When: "daily 02:00", Hook: "mail me", Last: noon, Next: noon.Add(time.Hour)},
		Stored: control.Stored{Folder: docs, Store: &control.Store{
			Where: "s3:host/b/f/d", Leaving: true, Bytes: 5, Waiting: 6, AsOf: noon, Failed: "no route",
		}},
		Pruned: control.Pruned{Folder: docs, DryRun: true, Versions: 1, Dropped: 2, Freed: 3, Waiting: 4, Since: instant},
		Steps:  []control.VerifyProgress{{Device: phone, Blocks: 1, TotalBlock: 2}, {Device: laptop, Blocks: 2, TotalBlock: 2}},
		Verified: []control.Verified{{
			Folder: docs, Device: phone, At: noon, Files: 1, Blocks: 2, Bytes: 3, Mended: 4,
			Problems: []control.Problem{{Path: "a\xff", Code: "withheld", Message: "m", Hint: "h"}},
		}, {Folder: docs, Device: laptop, At: noon, Problems: []control.Problem{}}},
	}}
	for i := range 10_000 { // more than one message holds
		d.Vaults.Pruned.Moments = append(d.Vaults.Pruned.Moments, control.KeptMoment{
			At: instant.Add(time.Duration(i) * time.Microsecond), Reasons: []string{"daily", "snapshot x"}[:i%3],
		})
	}
	c := dial(t, serve(t, d))
	ctx := t.Context()

	r, err := c.Retention(ctx, "doc")
	expect(t, "Retention", d.Vaults.Retention, r, err)
	for _, history := range []*bool{nil, new(true), new(false)} {
		r, err = c.SetRetention(ctx, control.RetentionRequest{Folder: "doc", Keep: everythingKept(), Default: true, History: history})
		expect(t, "SetRetention", d.Vaults.Retention, r, err)
	}
	_, err = c.SetRetention(ctx, control.RetentionRequest{Folder: "doc"})
	expect(t, "SetRetention of nothing", nil, nil, err)
	for _, hook := range []*string{nil, new(""), new("mail me")} {
		s, err := c.SetSchedule(ctx, control.ScheduleRequest{Folder: "doc", When: "every 6h", Hook: hook})
		expect(t, "SetSchedule", d.Vaults.Schedule, s, err)
	}
	for _, url := range []*string{nil, new(""), new("s3:host/b")} {
		s, err := c.SetStore(ctx, control.StoreRequest{Folder: "doc", URL: url, AccessKey: "a", SecretKey: "s", Region: "r"})
		expect(t, "SetStore", d.Vaults.Stored, s, err)
	}
	p, err := c.Prune(ctx, control.PruneRequest{Folder: "doc", DryRun: true})
	expect(t, "Prune", d.Vaults.Pruned, p, err)
	var steps []control.VerifyProgress
	take := func(p control.VerifyProgress) error { steps = append(steps, p); return nil }
	v, err := c.Verify(ctx, control.VerifyRequest{Folder: "doc", Percent: 2.5, Accept: true}, take)
	expect(t, "Verify", d.Vaults.Verified, v, err)
	expect(t, "its progress", d.Vaults.Steps, steps, nil)
	v, err = c.Drill(ctx, control.VerifyRequest{Folder: "doc", Percent: 100}, take)
	expect(t, "Drill", d.Vaults.Verified, v, err)

	kept := "[ last=1 hourly=2 daily=0 weekly=-1 monthly=5 yearly=6 within=48h0m0s within-hourly=0s within-daily=24h0m0s within-weekly=1h0m0s " +
		"within-monthly=2562047h47m16.854775807s within-yearly=1s hold=1m0s quota=1099511627776 ]"
	expect(t, "the device was asked", []string{
		"Retention doc",
		"SetRetention {Folder:doc Keep:" + kept + " Default:true History:as it was}",
		"SetRetention {Folder:doc Keep:" + kept + " Default:true History:true}",
		"SetRetention {Folder:doc Keep:" + kept + " Default:true History:false}",
		"SetRetention {Folder:doc Keep:[ ] Default:false History:as it was}",
		"SetSchedule {Folder:doc When:every 6h Hook:as it was}", `SetSchedule {Folder:doc When:every 6h Hook:""}`,
		`SetSchedule {Folder:doc When:every 6h Hook:"mail me"}`,
		`SetStore {Folder:doc URL:as it was Keys:"a" "s" Region:"r"}`, `SetStore {Folder:doc URL:"" Keys:"a" "s" Region:"r"}`,
		`SetStore {Folder:doc URL:"s3:host/b" Keys:"a" "s" Region:"r"}`,
		"Prune {Folder:doc DryRun:true}", "Verify {Folder:doc Percent:2.5 Accept:true}", "Drill {Folder:doc Percent:100 Accept:false}",
	}, d.Asked(), nil)
}

func TestTheStatusOfVaultsCrossesTheSocket(t *testing.T) {
	vault := &control.VaultStatus{
		Versions: 1, Bytes: 2, Quota: 3, Since: noon, Schedule: "every 6h", LastRun: noon, NextRun: noon.Add(time.Hour), Scrubbed: noon, Damaged: 4,
		Store: &control.Store{Where: "/disk/f/d", Bytes: 7, Waiting: 8, AsOf: noon},
	}
	want := control.Status{Identity: laptop, Listen: []string{}, Problems: []control.Problem{}, Peers: []control.PeerStatus{}, Folders: []control.FolderStatus{{
		Folder: docs, State: control.StateInSync, Vault: vault, Problems: []control.Problem{}, Members: []control.MemberStatus{{
			Identity: phone, Role: entry.RoleBackup, LastProven: noon, ProtectedAsOf: noon.Add(time.Second), Schedule: "daily 02:00", LastDrill: noon.Add(time.Minute),
		}},
	}, {Folder: docs, State: control.StateInSync, Problems: []control.Problem{}, Members: []control.MemberStatus{}}}}
	c := dial(t, serve(t, &controltest.Device{Now: want}))
	got, err := c.Status(t.Context(), "")
	expect(t, "Status", want, got, err)
}

func TestBadRequestsAboutVaultsNeverReachTheDevice(t *testing.T) {
	d := &controltest.Device{}
	c := dial(t, serve(t, d))
	ctx := t.Context()
	retain := func(k control.Keeping) func() error {
		return func() error {
			_, err := c.SetRetention(ctx, control.RetentionRequest{Folder: "doc", Keep: k})
			return err
		}
	}
	verify := func(percent float64) func() error {
		return func() error {
			_, err := c.Verify(ctx, control.VerifyRequest{Folder: "doc", Percent: percent}, nil)
			_, derr := c.Drill(ctx, control.VerifyRequest{Folder: "doc", Percent: percent}, nil)
			if !errors.Is(derr, control.ErrInvalid) {
				return derr
			}
			return err
		}
	}
	store := func(r control.StoreRequest) func() error {
		return func() error { _, err := c.SetStore(ctx, r); return err }
	}
	schedule := func(r control.ScheduleRequest) func() error {
		return func() error { _, err := c.SetSchedule(ctx, r); return err }
	}
	for name, ask := range map[string]func() error{
		"less than all":            retain(control.Keeping{Last: new(-2)}),
		"more than there can be":   retain(control.Keeping{Yearly: new(1 << 40)}),
		"a negative time":          retain(control.Keeping{Within: new(-time.Hour)}),
		"a time just below zero":   retain(control.Keeping{Within: new(-time.Millisecond)}),
		"a negative hold":          retain(control.Keeping{MinimumHold: new(-time.Second)}),
		"a negative quota":         retain(control.Keeping{Quota: new(int64(-1))}),
		"a negative sample":        verify(-1),
		"a sample of more":         verify(100.1),
		"a sample that is no size": verify(math.NaN()),
		"an endless sample":        verify(math.Inf(1)),
		"a long schedule":          schedule(control.ScheduleRequest{Folder: "doc", When: strings.Repeat("x", 999)}),
		"a long hook":              schedule(control.ScheduleRequest{Folder: "doc", Hook: new(strings.Repeat("x", 9999))}),
		"a hook of two lines":      schedule(control.ScheduleRequest{Folder: "doc", Hook: new("a\nb")}),
		"a store of two lines":     store(control.StoreRequest{Folder: "doc", URL: new("s3:host/b\nc")}),
		"a long key of a store":    store(control.StoreRequest{Folder: "doc", SecretKey: strings.Repeat("x", 9999)}),
		"a hook with a NUL byte":   schedule(control.ScheduleRequest{Folder: "doc", Hook: new("a\x00b")}),
	} {
		if err := ask(); !errors.Is(err, control.ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", name, err)
		}
	}
	if asked := d.Asked(); len(asked) != 0 {
		t.Errorf("the device was asked %q", asked)
	}
}

func TestEveryAnswerAboutRecoveryCrossesTheSocketWhole(t *testing.T) {
	state := control.RecoveryState{Created: noon, Matches: true, Folders: []control.RecoveryFolder{
		{Folder: docs, Covered: true, Epochs: 3, At: []control.Identity{phone}}, {Folder: docs, At: []control.Identity{}},
	}}
	d := &controltest.Device{Recovery: controltest.Recovery{
		Draft: control.RecoveryDraft{ID: "d7", Words: []string{"abandon", "zoo"}, Ask: []int{3, 17, 22}}, State: state,
		Steps:     []string{"looking for a member", "\"nas\" has 2 folders"},
		Recovered: control.Recovered{From: phone, Folders: []control.Folder{docs}, Revoked: []control.Identity{laptop}, Left: []string{"work"}},
	}}
	c := dial(t, serve(t, d))
	ctx := t.Context()
	draft, err := c.DraftRecovery(ctx)
	expect(t, "DraftRecovery", d.Recovery.Draft, draft, err)
	confirmed, err := c.ConfirmRecovery(ctx, "d7", []string{"a", "b", "c"})
	expect(t, "ConfirmRecovery", state, confirmed, err)
	tested, err := c.TestRecovery(ctx, "abandon zoo")
	expect(t, "TestRecovery", state, tested, err)
	var steps []string
	r := control.RecoverRequest{
		Phrase: "abandon zoo", At: []string{"/ip4/127.0.0.1/tcp/1"}, Code: "48-a-b-c", To: "/home/./me\xff", Folders: []string{"doc"},
		Paths: []string{"doc/\xff"}, Revoke: []string{"all"},
	}
	recovered, err := c.Recover(ctx, r, func(s string) error { steps = append(steps, s); return nil })
	expect(t, "Recover", d.Recovery.Recovered, recovered, err)
	expect(t, "its progress", d.Recovery.Steps, steps, nil)
	expect(t, "the device was asked", []string{
		"DraftRecovery ", `ConfirmRecovery d7 ["a" "b" "c"]`, "TestRecovery abandon zoo",
		"Recover {Phrase:abandon zoo At:[/ip4/127.0.0.1/tcp/1] Code:48-a-b-c To:/home/me\xff Folders:[doc] Paths:[doc/\xff] Revoke:[all]}",
	}, d.Asked(), nil)
}

func TestBadRequestsAboutRecoveryNeverReachTheDeviceNorQuoteTheWords(t *testing.T) {
	d := &controltest.Device{}
	c := dial(t, serve(t, d))
	ctx := t.Context()
	many, secret := make([]string, 1000), strings.Repeat("secret ", 999)
	recover := func(change func(*control.RecoverRequest)) func() error {
		return func() error {
			r := control.RecoverRequest{Phrase: "a b", To: "/a"}
			change(&r)
			_, err := c.Recover(ctx, r, nil)
			return err
		}
	}
	confirm := func(draft string, answers []string) func() error {
		return func() error { _, err := c.ConfirmRecovery(ctx, draft, answers); return err }
	}
	for name, ask := range map[string]func() error{
		"no draft":            confirm("", nil),
		"many words":          confirm("d", many),
		"a long word":         confirm("d", []string{secret}),
		"no phrase":           func() error { _, err := c.TestRecovery(ctx, " "); return err },
		"a long phrase":       func() error { _, err := c.TestRecovery(ctx, secret); return err },
		"nothing to use":      recover(func(r *control.RecoverRequest) { r.Phrase = "" }),
		"a relative path":     recover(func(r *control.RecoverRequest) { r.To = "secret" }),
		"nowhere to":          recover(func(r *control.RecoverRequest) { r.To = "" }),
		"many addresses":      recover(func(r *control.RecoverRequest) { r.At = many }),
		"many folders":        recover(func(r *control.RecoverRequest) { r.Folders = many }),
		"many devices":        recover(func(r *control.RecoverRequest) { r.Revoke = many }),
		"a long code":         recover(func(r *control.RecoverRequest) { r.Code = secret }),
		"an empty path":       recover(func(r *control.RecoverRequest) { r.Paths = []string{""} }),
		"a path with NUL":     recover(func(r *control.RecoverRequest) { r.Paths = []string{"a\x00"} }),
		"a path that is long": recover(func(r *control.RecoverRequest) { r.Paths = []string{strings.Repeat("x", 9999)} }),
	} {
		err := ask()
		if !errors.Is(err, control.ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", name, err)
		} else if name != "a relative path" && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error quotes it: %v", name, err)
		}
	}
	if asked := d.Asked(); len(asked) != 0 {
		t.Errorf("the device was asked %q", asked)
	}
}
