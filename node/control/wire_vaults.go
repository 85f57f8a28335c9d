package control

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"

	"github.com/kithmesh/kith/proto/controlpb"
)

func vaultStatusToWire(v *VaultStatus) *controlpb.VaultStatus {
	if v == nil {
		return nil
	}
	return &controlpb.VaultStatus{
		Versions: v.Versions, Bytes: v.Bytes, Quota: v.Quota, SinceMs: millis(v.Since), Schedule: text(v.Schedule),
		LastRunMs: millis(v.LastRun), NextRunMs: millis(v.NextRun), ScrubbedMs: millis(v.Scrubbed), Damaged: v.Damaged,
		Store: storeToWire(v.Store),
	}
}

func vaultStatusFromWire(v *controlpb.VaultStatus) *VaultStatus {
	if v == nil {
		return nil
	}
	return &VaultStatus{
		Versions: v.GetVersions(), Bytes: v.GetBytes(), Quota: v.GetQuota(), Since: moment(v.GetSinceMs()), Schedule: v.GetSchedule(),
		LastRun: moment(v.GetLastRunMs()), NextRun: moment(v.GetNextRunMs()), Scrubbed: moment(v.GetScrubbedMs()), Damaged: v.GetDamaged(),
		Store: storeFromWire(v.GetStore()),
	}
}

// field is one rule of a Keeping in both its forms: numbers, times or bytes.
type field struct {
	name   string
	number **int
	time   **time.Duration
	bytes  **int64
	wire   **int64
}

func fieldsOf(k *Keeping, w *controlpb.Keeping) []field {
	return []field{
		{name: "last", number: &k.Last, wire: &w.Last},
		{name: "hourly", number: &k.Hourly, wire: &w.Hourly},
		{name: "daily", number: &k.Daily, wire: &w.Daily},
		{name: "weekly", number: &k.Weekly, wire: &w.Weekly},
		{name: "monthly", number: &k.Monthly, wire: &w.Monthly},
		{name: "yearly", number: &k.Yearly, wire: &w.Yearly},
		{name: "within", time: &k.Within, wire: &w.WithinMs},
		{name: "within hourly", time: &k.WithinHourly, wire: &w.WithinHourlyMs},
		{name: "within daily", time: &k.WithinDaily, wire: &w.WithinDailyMs},
		{name: "within weekly", time: &k.WithinWeekly, wire: &w.WithinWeeklyMs},
		{name: "within monthly", time: &k.WithinMonthly, wire: &w.WithinMonthlyMs},
		{name: "within yearly", time: &k.WithinYearly, wire: &w.WithinYearlyMs},
		{name: "minimum hold", time: &k.MinimumHold, wire: &w.MinimumHoldMs},
		{name: "quota", bytes: &k.Quota, wire: &w.Quota},
	}
}

func keepingToWire(k Keeping) *controlpb.Keeping {
	w := new(controlpb.Keeping)
	for _, f := range fieldsOf(&k, w) {
		switch {
		case f.number != nil && *f.number != nil:
			*f.wire = new(int64(**f.number))
		case f.time != nil && *f.time != nil && **f.time == KeepForever:
			*f.wire = new(int64(KeepAll))
		case f.time != nil && *f.time != nil:
			*f.wire = new(wireTime(**f.time))
		case f.bytes != nil && *f.bytes != nil:
			*f.wire = new(**f.bytes)
		}
	}
	return w
}

// wireTime is d in milliseconds. What is below zero must not become what means
// for ever.
func wireTime(d time.Duration) int64 {
	if d < 0 {
		return math.MinInt64
	}
	return d.Milliseconds()
}

// keepingFromWire refuses numbers and times that mean nothing.
func keepingFromWire(w *controlpb.Keeping) (Keeping, error) {
	var k Keeping
	if w == nil {
		w = new(controlpb.Keeping)
	}
	for _, f := range fieldsOf(&k, w) {
		if *f.wire == nil {
			continue
		}
		n := **f.wire
		switch {
		case f.number != nil && n >= KeepAll && n <= maxKept:
			*f.number = new(int(n))
		case f.time != nil && n == KeepAll:
			*f.time = new(KeepForever)
		case f.time != nil && n >= 0 && n <= math.MaxInt64/int64(time.Millisecond):
			*f.time = new(time.Duration(n) * time.Millisecond)
		case f.bytes != nil && n >= 0:
			*f.bytes = new(n)
		default:
			return Keeping{}, fmt.Errorf("keep %s %d: %w", f.name, n, ErrInvalid)
		}
	}
	return k, nil
}

func retentionToWire(r Retention) *controlpb.Retention {
	return &controlpb.Retention{
		Folder: folderToWire(r.Folder), Keep: keepingToWire(r.Keep), History: r.History, Versions: r.Versions, Bytes: r.Bytes, SinceUs: micros(r.Since),
	}
}

func retentionFromWire(r *controlpb.Retention) (Retention, error) {
	keep, err := keepingFromWire(r.GetKeep())
	return Retention{
		Folder: folderFromWire(r.GetFolder()), Keep: keep, History: r.GetHistory(), Versions: r.GetVersions(), Bytes: r.GetBytes(),
		Since: instant(r.GetSinceUs()),
	}, err
}

// scheduleFromWire bounds what the device reads.
func scheduleFromWire(r *controlpb.SetScheduleRequest) (ScheduleRequest, error) {
	out := ScheduleRequest{Folder: r.GetFolder(), When: r.GetWhen(), Hook: r.Hook}
	switch {
	case len(out.When) > maxSchedule:
		return out, fmt.Errorf("schedule of %d bytes: %w: at most %d", len(out.When), ErrInvalid, maxSchedule)
	case len(r.GetHook()) > maxHook:
		return out, fmt.Errorf("hook of %d bytes: %w: at most %d", len(r.GetHook()), ErrInvalid, maxHook)
	case strings.ContainsAny(r.GetHook(), "\x00\r\n"):
		return out, fmt.Errorf("hook: %w: more than one line", ErrInvalid)
	}
	return out, nil
}

func scheduleToWire(s Schedule) *controlpb.Schedule {
	return &controlpb.Schedule{Folder: folderToWire(s.Folder), When: text(s.When), Hook: text(s.Hook), LastMs: millis(s.Last), NextMs: millis(s.Next)}
}

func scheduleOf(s *controlpb.Schedule) Schedule {
	return Schedule{
		Folder: folderFromWire(s.GetFolder()), When: s.GetWhen(), Hook: s.GetHook(), Last: moment(s.GetLastMs()), Next: moment(s.GetNextMs()),
	}
}

// storeRequestFromWire bounds what the device reads.
func storeRequestFromWire(r *controlpb.SetStoreRequest) (StoreRequest, error) {
	for _, s := range []string{r.GetUrl(), r.GetAccessKey(), r.GetSecretKey(), r.GetRegion()} {
		if len(s) > maxStore || strings.ContainsFunc(s, unicode.IsControl) {
			return StoreRequest{}, fmt.Errorf("store of %q: %w: longer than %d bytes, or of more than one line", r.GetFolder(), ErrInvalid, maxStore)
		}
	}
	return StoreRequest{
		Folder: r.GetFolder(), URL: r.Url, AccessKey: r.GetAccessKey(), SecretKey: r.GetSecretKey(), Region: r.GetRegion(),
	}, nil
}

func storeToWire(s *Store) *controlpb.Store {
	if s == nil {
		return nil
	}
	return &controlpb.Store{
		Where: text(s.Where), Leaving: s.Leaving, Bytes: s.Bytes, Waiting: s.Waiting, AsOfMs: millis(s.AsOf), Failed: text(s.Failed),
	}
}

func storeFromWire(s *controlpb.Store) *Store {
	if s == nil {
		return nil
	}
	return &Store{
		Where: s.GetWhere(), Leaving: s.GetLeaving(), Bytes: s.GetBytes(), Waiting: s.GetWaiting(), AsOf: moment(s.GetAsOfMs()), Failed: s.GetFailed(),
	}
}

func keptMomentToWire(m KeptMoment) *controlpb.KeptMoment {
	return &controlpb.KeptMoment{AtUs: micros(m.At), Reasons: convert(m.Reasons, text)}
}

func prunedToWire(p Pruned) *controlpb.Pruned {
	return &controlpb.Pruned{
		Folder: folderToWire(p.Folder), DryRun: p.DryRun, Versions: p.Versions, Dropped: p.Dropped, Freed: p.Freed, Waiting: p.Waiting,
		SinceUs: micros(p.Since),
	}
}

func prunedFromWire(p *controlpb.Pruned, moments []KeptMoment) Pruned {
	return Pruned{
		Folder: folderFromWire(p.GetFolder()), DryRun: p.GetDryRun(), Versions: p.GetVersions(), Dropped: p.GetDropped(), Freed: p.GetFreed(),
		Waiting: p.GetWaiting(), Since: instant(p.GetSinceUs()), Moments: moments,
	}
}

func verifiedToWire(v Verified) *controlpb.Verified {
	return &controlpb.Verified{
		Folder: folderToWire(v.Folder), Device: identityToWire(v.Device), AtMs: millis(v.At), Files: v.Files, Blocks: v.Blocks, Bytes: v.Bytes,
		Mended: v.Mended, Problems: convert(listed(v.Problems), problemToWire),
	}
}

func verifiedFromWire(v *controlpb.Verified) Verified {
	return Verified{
		Folder: folderFromWire(v.GetFolder()), Device: identityFromWire(v.GetDevice()), At: moment(v.GetAtMs()), Files: v.GetFiles(),
		Blocks: v.GetBlocks(), Bytes: v.GetBytes(), Mended: v.GetMended(), Problems: convert(v.GetProblems(), problemFromWire),
	}
}
