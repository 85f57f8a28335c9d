package cover_test

import (
	"strings"
	"testing"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/node/recovery/cover"
	"github.com/kithmesh/kith/node/recovery/recoverytest"
)

func name(entry.DeviceID) string { return "somebody" }

func TestAPersonSeesWhichWordsOpenAFolder(t *testing.T) {
	laptop, phone := recoverytest.Device(t), recoverytest.Device(t)
	f := recoverytest.New(t, laptop, "docs")
	f.Admit(laptop, phone, "phone", entry.RoleSync, roster.Every)
	keys := recoverytest.Founding(1)
	if p := cover.Problems(f.Roster, keys, name); len(p) > 0 {
		t.Errorf("without words: %+v", p)
	}
	mine, theirs := recoverytest.Secret(t), recoverytest.Secret(t)
	f.Recover(laptop, mine, keys)
	if p := cover.Problems(f.Roster, keys, name); len(p) > 0 {
		t.Errorf("with words that open all: %+v", p)
	}
	f.Recover(phone, theirs, both(keys, recoverytest.After(0, 5)))
	p := cover.Problems(f.Roster, both(keys, recoverytest.After(0, 5)), name)
	var codes []string
	for _, p := range p {
		codes = append(codes, p.Code)
	}
	if strings.Join(codes, " ") != "recovery_incomplete recovery_several" {
		t.Fatalf("%q", codes)
	}
	if !strings.Contains(p[0].Message, "with 1 of the folder's keys") {
		t.Errorf("%q", p[0].Message)
	}
	first := recoverytest.Began.Add(4 * 24 * time.Hour).Local().Format(time.DateOnly)
	if !strings.HasPrefix(p[1].Message, "2 sets of recovery words open the folder, made by somebody on 2026-03-") || !strings.Contains(p[1].Message, "by somebody on "+first) {
		t.Errorf("%q", p[1].Message)
	}
}

func TestWordsWhoseMakerIsOutAreToldUnlessTheyAreThoseOfThisDevice(t *testing.T) {
	laptop, phone := recoverytest.Device(t), recoverytest.Device(t)
	f := recoverytest.New(t, laptop, "docs")
	f.Admit(laptop, phone, "phone", entry.RoleSync, roster.Every)
	mine, theirs := recoverytest.Secret(t), recoverytest.Secret(t)
	f.Recover(laptop, mine, recoverytest.Founding(1))
	f.Recover(phone, theirs, recoverytest.Founding(1))
	names := func(id entry.DeviceID) string { return cover.Former(f.Roster, id) }
	if p := cover.Orphaned(f.Roster, "", names); len(p) > 0 {
		t.Errorf("of members: %+v", p)
	}
	f.Say(f.Leave(phone, f.Now())) // a revocation would end the words too
	p := cover.Orphaned(f.Roster, mine.Public().Device(), names)
	if len(p) != 1 || p[0].Code != "recovery_orphaned" || !strings.Contains(p[0].Message, "made by phone (no member any more) on 2026-03-") {
		t.Errorf("%+v", p)
	}
	if p := cover.Orphaned(f.Roster, theirs.Public().Device(), names); len(p) > 0 {
		t.Errorf("of this device: %+v", p)
	}
	if n := cover.Former(f.Roster, "unheard"); n != "unheard" {
		t.Errorf("of whom nothing was said: %q", n)
	}
}

func TestARosterTellsOfWordsThatWereMadeElsewhere(t *testing.T) {
	laptop := recoverytest.Device(t)
	docs, photos, plain := recoverytest.New(t, laptop, "docs"), recoverytest.New(t, laptop, "photos"), recoverytest.New(t, laptop, "plain")
	words, others := recoverytest.Secret(t), recoverytest.Secret(t)
	docs.Recover(laptop, others, recoverytest.Founding(1))
	photos.Now()
	photos.Recover(laptop, words, recoverytest.Founding(1))
	day := func(n int) time.Time { return recoverytest.Began.Add(time.Duration(n) * 24 * time.Hour) }
	for name, c := range map[string]struct {
		rosters []roster.Roster
		made    time.Time
		known   bool
	}{
		"nothing":            {nil, time.Time{}, false},
		"no words":           {[]roster.Roster{plain.Roster}, time.Time{}, false},
		"others":             {[]roster.Roster{plain.Roster, docs.Roster}, day(2), false},
		"these":              {[]roster.Roster{photos.Roster, docs.Roster}, day(3), true},
		"these after others": {[]roster.Roster{docs.Roster, photos.Roster}, day(3), true},
	} {
		made, known := cover.Told(c.rosters, words.Public().Device())
		if !made.Equal(c.made) || known != c.known {
			t.Errorf("%s: made %v, known %v", name, made, known)
		}
	}
}

// A device that has no keys cannot compare them: it tells what is sealed.
func TestABackupTellsWhatItSees(t *testing.T) {
	laptop := recoverytest.Device(t)
	f, words := recoverytest.New(t, laptop, "docs"), recoverytest.Secret(t)
	if n, all := cover.Opens(words, f.Roster, nil); n != 0 || all {
		t.Errorf("before: %d, %v", n, all)
	}
	f.Recover(laptop, words, both(recoverytest.Founding(1), recoverytest.After(0, 5)))
	if n, all := cover.Opens(words, f.Roster, nil); n != 2 || !all {
		t.Errorf("after: %d, %v", n, all)
	}
	lie := recoverytest.Founding(66)
	if n, all := cover.Opens(words, f.Roster, lie); n != 0 || all {
		t.Errorf("another key than it has: %d, %v", n, all)
	}
}
