package identity

import "io/fs"

// private accepts any file: it inherits the access list of the user's profile,
// and its mode says nothing about that.
func private(string, fs.FileInfo) error { return nil }
