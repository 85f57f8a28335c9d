package backup

import (
	"fmt"
	"strings"
	"time"

	"github.com/kithmesh/kith/node/vault/retention"
)

// Describe is a policy in words for people.
func Describe(p retention.Policy) string {
	var parts []string
	span := func(name string, d time.Duration) {
		if d > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", name, days(d)))
		}
	}
	count := func(name string, n int) {
		switch {
		case n == retention.All:
			parts = append(parts, name+" for ever")
		case n > 0:
			parts = append(parts, fmt.Sprintf("%d %s", n, name))
		}
	}
	span("everything for", p.Within)
	count("last", p.Last)
	count("hourly", p.Hourly)
	span("hourly for", p.WithinHourly)
	count("daily", p.Daily)
	span("daily for", p.WithinDaily)
	count("weekly", p.Weekly)
	span("weekly for", p.WithinWeekly)
	count("monthly", p.Monthly)
	span("monthly for", p.WithinMonthly)
	count("yearly", p.Yearly)
	span("yearly for", p.WithinYearly)
	span("nothing goes within", p.Hold)
	if len(parts) == 0 {
		return "the present only"
	}
	return strings.Join(parts, ", ")
}

func days(d time.Duration) string {
	if d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	}
	return d.String()
}
