package folder_test

import "time"

// cpuTime is not asked for there.
func cpuTime() time.Duration { return 0 }
