package entry

import (
	"encoding/hex"
	"errors"
	"fmt"
)

// DeviceID names a device: its libp2p peer ID in text form.
type DeviceID string

// Short is the tail of the ID, for people who compare two devices at a glance.
func (d DeviceID) Short() string {
	if len(d) > 8 {
		return string(d[len(d)-8:])
	}
	return string(d)
}

// FolderID names a folder: 16 random bytes.
type FolderID [16]byte

func (f FolderID) String() string { return hex.EncodeToString(f[:]) }

// ErrFolderID is wrapped when a text is not a folder ID.
var ErrFolderID = errors.New("not a folder ID")

// ParseFolderID reads what [FolderID.String] wrote.
func ParseFolderID(s string) (FolderID, error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(FolderID{}) {
		return FolderID{}, fmt.Errorf("%w: %q", ErrFolderID, s)
	}
	return FolderID(b), nil
}

// BlockID names a block by a keyed hash of its plaintext.
type BlockID [32]byte

func (b BlockID) String() string { return hex.EncodeToString(b[:]) }

// Role is what a device does for one folder.
type Role uint8

// The roles. They are written to disk and wire: never renumber them.
const (
	RoleSync    Role = 1 // changes go both ways
	RoleSend    Role = 2 // local changes go out, nothing comes in
	RoleReceive Role = 3 // changes come in, local edits stay local
	RoleArchive Role = 4 // new files and edits go out; a local delete is no delete elsewhere
	RoleBackup  Role = 5 // holds no key and no tree; keeps every version sealed
)

var roleNames = map[Role]string{
	RoleSync: "sync", RoleSend: "send", RoleReceive: "receive", RoleArchive: "archive", RoleBackup: "backup",
}

func (r Role) String() string {
	if n, ok := roleNames[r]; ok {
		return n
	}
	return fmt.Sprintf("role(%d)", uint8(r))
}

// ErrRole is wrapped when a text is not a role.
var ErrRole = errors.New("not a role (sync, send, receive, archive or backup)")

// ParseRole reads what [Role.String] wrote.
func ParseRole(s string) (Role, error) {
	for r, n := range roleNames {
		if n == s {
			return r, nil
		}
	}
	return 0, fmt.Errorf("%q: %w", s, ErrRole)
}

// HoldsKey tells whether a member of this role is given the folder's keys.
func (r Role) HoldsKey() bool { return r != RoleBackup }
