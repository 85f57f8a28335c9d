package control

import "context"

// Device is what the server asks of the device that it speaks for: one
// interface for each group of commands, each implemented by whom it suits. A
// group that is nil is not served; asking for it is [ErrUnsupported].
//
// What holds for all of them:
//
//   - Methods are called from many goroutines at once.
//   - A method ends soon after its context, which ends with the caller: when
//     a person presses Ctrl-C, when a deadline has passed, when the server
//     stops. It then returns the context's error, wrapped or not.
//   - A folder is named by label or by the beginning of its ID, a device by
//     name, by ID or by a part of it that only one device has; an exact label
//     or name goes before a part of an ID. The implementation resolves them:
//     [ErrNoFolder], [ErrNoDevice], [ErrAmbiguous].
//   - Errors wrap one of the sentinels in errors.go where one fits, with the
//     operand quoted: `share "work": no such folder`. Their text is shown to
//     people; [WithHint] adds what to do next where the sentinel's own hint
//     is too general. Any other error reaches the client as code "failed".
//   - Arguments that need no knowledge of the device were checked before the
//     call: paths are absolute and clean, roles are known or zero, names and
//     labels are UTF-8 with no control characters, of bounded length.
//   - Callbacks are called from within the method, one at a time, never after
//     it has returned. An error from a callback ends the method, which returns
//     it.
type Device struct {
	Lifecycle Lifecycle
	Pairing   Pairing
	Peers     Peers
	Folders   Folders
	Sharing   Sharing
	States    States
	Paths     Paths
	Care      Care
	Roles     Roles
	Past      Past
	Snapshots Snapshots
	Vaults    Vaults
	Proofs    Proofs
	Recovery  Recovery
	Limits    Limits
}

// Lifecycle is about the running device as a whole.
type Lifecycle interface {
	// Stop begins a clean end and returns at once, without waiting for it:
	// the answer still has to go out. Whoever runs the device then ends it,
	// and ends the [Server] last, since a socket that is gone tells the caller
	// that the device has let go of its home.
	Stop(ctx context.Context) error

	// Pause stops the exchange with peers: all of it, that of one folder, or
	// that with one device. It lasts until Resume, across a restart too, or
	// for the time given. It returns when connections that have no other use
	// are closed. [ErrNoFolder] if the target is neither a folder nor a device.
	Pause(ctx context.Context, r PauseRequest) error

	// Resume ends a pause of the target; of everything, those of single
	// folders and devices too, if the target is empty. Nothing being paused
	// is no error.
	Resume(ctx context.Context, target string) error
}

// Pairing makes two devices trust each other.
type Pairing interface {
	// ShowCode opens a pairing window and calls shown once, before it waits,
	// with what the other device needs. It returns when a device has paired
	// and the shares are offered to it. The window closes when it returns,
	// whatever the reason.
	//
	// Before shown: [ErrNoFolder] or [ErrAmbiguous] for a share that names no
	// folder, [ErrPairingPaused] after too many burnt codes; for one that is to
	// be found anywhere [ErrDiscoveryOff], [ErrNoNodes] if no node of the DHT
	// has taken the number in time, and [ErrUnreachable] if the device knows no
	// address at which it could be reached. After it:
	// [ErrCodeBurnt] when someone guessed wrong, [ErrCodeExpired] when nobody
	// came in time.
	ShowCode(ctx context.Context, r ShowCodeRequest, shown func(Invitation) error) (Paired, error)

	// UseCode pairs with the device that shows the code or ticket. The code
	// comes as it was typed, without surrounding space; addresses are not
	// parsed yet. [ErrInvalid] for what is no code, no ticket or no address,
	// [ErrNotFound] when no device shows it, [ErrUnreachable] when no address
	// answers, [ErrDiscoveryOff] for a long number that nobody shows on the
	// local network, while nothing else may be searched, [ErrNoNodes] when no
	// node of the DHT answered, [ErrWrongCode] when a device refused the code,
	// [ErrCodeExpired].
	UseCode(ctx context.Context, r UseCodeRequest) (Paired, error)

	// Widen tells how devices are found beyond the local network. With on it
	// makes that public where it was off, at once and for good: nobody should
	// set it who has not been told yes. [ErrInvalid] on a device that is to
	// stay within the local network, and for a code, if there is one that it is
	// for, that cannot be one.
	Widen(ctx context.Context, on bool, code string) (Discovery, error)
}

// Peers is about the devices that this one is paired with.
type Peers interface {
	// Rename gives a device the name by which it is known here; this device
	// itself gets the name by which others learn of it. [ErrNoDevice],
	// [ErrAmbiguous], [ErrNameTaken] when another device has the name.
	Rename(ctx context.Context, r RenameRequest) (Identity, error)

	// Devices is the status of each peer, with the round trip to those that
	// are connected measured now, and the cause, as far as it is known without
	// trying, for those that are not.
	Devices(ctx context.Context) ([]PeerStatus, error)
}

// Folders is about the folders of this device.
type Folders interface {
	// AddFolder makes a tree a folder with this device as its only member, in
	// role sync, and returns before the first scan. The directory exists
	// already. [ErrPathTaken] if it is a folder's, [ErrNested] if it lies in
	// or around one, [ErrLabelTaken], [ErrNotFound] if there is no directory.
	AddFolder(ctx context.Context, r AddRequest) (Folder, error)

	// LeaveFolder ends this device's membership and forgets the folder here.
	// It touches no file of the tree but kith's own directory in it.
	LeaveFolder(ctx context.Context, folder string) (Folder, error)

	// ScanFolders looks for changes in one folder, or in all for "", and
	// returns their status when the scans are done and what they found is
	// announced. [ErrPaused] if the only folder meant is paused.
	ScanFolders(ctx context.Context, folder string) ([]FolderStatus, error)
}

// Sharing is about who else is a member of a folder.
type Sharing interface {
	// Share offers a folder to a peer, who may be offline: the offer goes out
	// when it is met. A peer that was offered it already gets the new role.
	Share(ctx context.Context, r ShareRequest) (Share, error)

	// Unshare removes a member, or takes an offer back. [ErrNotShared] if the
	// device is neither.
	Unshare(ctx context.Context, r UnshareRequest) (Share, error)

	// Offers lists what peers offer and this device has not accepted.
	Offers(ctx context.Context) ([]Offer, error)

	// AcceptOffer makes this device a member and returns before the first
	// scan or exchange. The directory is made if it does not exist; files that
	// are in it take part. A backup needs no path. [ErrNotOffered],
	// [ErrAmbiguous], [ErrPathTaken], [ErrNested], [ErrLabelTaken], and
	// [ErrInvalid] if the path is missing or the offer does not allow the role.
	AcceptOffer(ctx context.Context, r AcceptRequest) (Folder, error)
}

// States tells how things are.
type States interface {
	// Status is the status of this device with one folder, or with all of
	// them in the order of their labels for "". It never waits for a scan.
	Status(ctx context.Context, folder string) (Status, error)

	// WatchStatus calls changed at once and then whenever the status has
	// changed, at most a few times a second, until the context ends.
	WatchStatus(ctx context.Context, folder string, changed func(Status) error) error

	// Wait returns nil when the goal is reached for all folders meant, and
	// calls progress at once and then a few times a second until then. For
	// [Synced] it begins a scan. The request's timeout is part of ctx. With
	// no folder at all on the device every goal is reached, except that
	// [Connected] then asks for a connected peer.
	Wait(ctx context.Context, r WaitRequest, progress func(Progress) error) error
}
