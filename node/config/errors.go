package config

import "errors"

var (
	// ErrNoHome is returned when the environment names no place for kith.
	ErrNoHome = errors.New("no home directory known (set HOME, or say --home DIR)")
	// ErrSocketPath is wrapped when no place for the control socket has a path
	// that is short enough.
	ErrSocketPath = errors.New("path of the control socket is too long (set TMPDIR to a shorter one)")
	// ErrNotPrivate is wrapped when a directory that must be this user's alone
	// is not.
	ErrNotPrivate = errors.New("not private")
	// ErrSetting is wrapped when a value does not fit its setting, or there is
	// no such setting.
	ErrSetting = errors.New("not a valid setting")
	// ErrFile is wrapped when the settings file cannot be understood.
	ErrFile = errors.New("not a valid settings file")
	// ErrEdit is wrapped when a setting is written in a way that cannot be
	// changed without changing more; the file is left as it is.
	ErrEdit = errors.New("edit the file by hand")
)
