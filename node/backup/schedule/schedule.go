// Package schedule knows when a backup is due: "continuous", "every 6h",
// "daily 02:00", "weekly sun 02:00", "monthly 15 02:00".
//
// Times of day are those of the machine's zone. A run that was missed is due at
// once, and once only. A month that lacks the day has its last day instead; an
// hour that the change of clocks leaves out is taken as the hour after.
//
// It is pure and its values are immutable.
package schedule

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ErrSchedule is wrapped when a text is no schedule.
var ErrSchedule = errors.New("not a schedule")

// Least is the shortest interval.
const Least = time.Minute

type kind int

const (
	continuous kind = iota
	every
	daily
	weekly
	monthly
)

// Schedule is when a backup is due. The zero Schedule is continuous.
type Schedule struct {
	kind     kind
	interval time.Duration
	minute   int // of the day
	weekday  time.Weekday
	day      int // of the month
}

// Continuous tells that there is nothing to wait for.
func (s Schedule) Continuous() bool { return s.kind == continuous }

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// Parse reads a schedule. The empty text is continuous, a time of day that is
// left out 02:00, a day of the month the 1st, of the week Sunday. Errors wrap
// ErrSchedule and name the text.
func Parse(text string) (Schedule, error) {
	words := strings.Fields(strings.ToLower(text))
	if len(words) == 0 || len(words) == 1 && words[0] == "continuous" {
		return Schedule{}, nil
	}
	s := Schedule{minute: 2 * 60, day: 1}
	err := s.parse(words[0], words[1:])
	if err != nil {
		return Schedule{}, fmt.Errorf("%w: %q: %w", ErrSchedule, text, err)
	}
	return s, nil
}

func (s *Schedule) parse(kind string, words []string) (err error) {
	switch kind {
	case "every", "hourly":
		s.kind, s.interval = every, time.Hour
		if kind == "every" {
			s.interval, err = interval(strings.Join(words, ""))
			words = nil
		}
	case "daily":
		s.kind = daily
	case "weekly":
		s.kind = weekly
		if len(words) > 0 && len(words[0]) >= 3 {
			for i, d := range weekdays {
				if strings.HasPrefix(words[0], d) {
					s.weekday, words = time.Weekday(i), words[1:]
					break
				}
			}
		}
	case "monthly":
		s.kind = monthly
		if len(words) > 0 && !strings.Contains(words[0], ":") {
			s.day, err = strconv.Atoi(words[0])
			if err != nil || s.day < 1 || s.day > 31 {
				return errors.New("the day of a month is 1 to 31")
			}
			words = words[1:]
		}
	default:
		return errors.New(`it begins with "continuous", "every", "daily", "weekly" or "monthly"`)
	}
	if err == nil && len(words) > 0 {
		s.minute, err = timeOfDay(words[0])
		words = words[1:]
	}
	if err == nil && len(words) > 0 {
		err = fmt.Errorf("%q is too much", words[0])
	}
	return err
}

func interval(text string) (time.Duration, error) {
	if n, ok := strings.CutSuffix(text, "d"); ok {
		if days, err := strconv.Atoi(n); err == nil && days > 0 && days <= 366 {
			return time.Duration(days) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < Least || d > 366*24*time.Hour {
		return 0, fmt.Errorf("%q is no interval of a minute to a year, like 6h", text)
	}
	return d, nil
}

func timeOfDay(text string) (int, error) {
	t, err := time.Parse("15:04", text)
	if err != nil {
		return 0, fmt.Errorf("%q is no time of day like 02:00", text)
	}
	return t.Hour()*60 + t.Minute(), nil
}

// String is the schedule in its shortest form; Parse reads it.
func (s Schedule) String() string {
	at := fmt.Sprintf("%02d:%02d", s.minute/60, s.minute%60)
	switch s.kind {
	case every:
		text := s.interval.String() // 6h0m0s
		if strings.HasSuffix(text, "m0s") {
			text = text[:len(text)-2]
		}
		if strings.HasSuffix(text, "h0m") {
			text = text[:len(text)-2]
		}
		return "every " + text
	case daily:
		return "daily " + at
	case weekly:
		return fmt.Sprintf("weekly %s %s", weekdays[s.weekday], at)
	case monthly:
		return fmt.Sprintf("monthly %d %s", s.day, at)
	case continuous:
	}
	return "continuous"
}

// Next is when a run is due after the last one; a zero last is now, and so is
// any of a continuous schedule.
func (s Schedule) Next(last time.Time) time.Time {
	if s.kind == continuous || last.IsZero() {
		return last
	}
	if s.kind == every {
		return last.Add(s.interval)
	}
	last = last.Local()
	for n := 0; ; n++ { // in the last month at most two, in a week at most eight turns
		if at := s.at(last, n); at.After(last) {
			return at
		}
	}
}

// at is the n-th time from that of the period of last on.
func (s Schedule) at(last time.Time, n int) time.Time {
	y, m, d := last.Date()
	clock := func(y int, m time.Month, d int) time.Time {
		return time.Date(y, m, d, s.minute/60, s.minute%60, 0, 0, last.Location())
	}
	switch s.kind {
	case weekly:
		return clock(y, m, d+(int(s.weekday)-int(last.Weekday())+7)%7+7*n)
	case monthly:
		first := time.Date(y, m+time.Month(n), 1, 0, 0, 0, 0, last.Location())
		days := first.AddDate(0, 1, -1).Day()
		return clock(first.Year(), first.Month(), min(s.day, days))
	case continuous, every, daily:
	}
	return clock(y, m, d+n)
}

// Stale tells whether a backup should have been made by now: half a period, and
// at least an hour, after it was due. Of a continuous one it is after a day.
func (s Schedule) Stale(last, now time.Time) bool {
	if s.kind == continuous {
		return now.Sub(last) > 24*time.Hour
	}
	due := s.Next(last)
	grace := max(time.Hour, s.Next(due).Sub(due)/2)
	return now.After(due.Add(grace))
}
