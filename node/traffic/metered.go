package traffic

import (
	"context"
	"time"
)

// busAgain is how long after the system could not be asked that is tried again.
const busAgain = time.Hour

// WatchMetered tells whether the system takes the way to the internet for one
// that is paid for by what it carries: at once, and when that changes, until
// ctx ends. Where the system does not tell, nothing is ever said. On Linux
// NetworkManager tells, for which nobody wakes up but when it has news.
func WatchMetered(ctx context.Context, say func(metered bool)) {
	for ctx.Err() == nil {
		_ = watchMetered(ctx, say)
		select {
		case <-ctx.Done():
		case <-time.After(busAgain):
		}
	}
}

// Power is what the machine runs on.
type Power struct {
	Battery bool // and not by mains
	Percent int  // of the charge; of several batteries the mean
}
