package back

import (
	"os"
	"time"
)

// setLinkTime does nothing: a symlink has a time of its own nowhere else.
func setLinkTime(*os.Root, string, time.Time) error { return nil }
