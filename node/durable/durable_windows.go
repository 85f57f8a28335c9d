package durable

import (
	"io/fs"
	"os"
)

// chmod does nothing: a file inherits the access list of its directory, which
// lies in the user's own profile.
func chmod(*os.File, fs.FileMode) error { return nil }

// syncDir does nothing: NTFS journals its names, and offers no call for it.
func syncDir(string) error { return nil }
