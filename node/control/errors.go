package control

import "errors"

// What a device answers when it cannot do what was asked. Each has a code in
// failure.go that crosses the socket and that scripts may count on.
var (
	// ErrNoFolder is wrapped when a text names no folder of this device.
	ErrNoFolder = errors.New("no such folder")
	// ErrNoDevice is wrapped when a text names no device that is known here.
	ErrNoDevice = errors.New("no such device")
	// ErrAmbiguous is wrapped when a text names several folders or devices.
	ErrAmbiguous = errors.New("more than one fits")
	// ErrNotFound is wrapped when something else that was named does not
	// exist: a directory, a device that shows a code.
	ErrNotFound = errors.New("not found")
	// ErrInvalid is wrapped when an argument cannot be what it should be.
	ErrInvalid = errors.New("not valid")

	// ErrPathTaken is wrapped when a path is a folder already.
	ErrPathTaken = errors.New("is a folder already")
	// ErrNested is wrapped when a path lies in a folder, or holds one.
	ErrNested = errors.New("folders cannot lie in each other")
	// ErrLabelTaken is wrapped when another folder here has the label.
	ErrLabelTaken = errors.New("another folder has this label")
	// ErrNameTaken is wrapped when another device has the name.
	ErrNameTaken = errors.New("another device has this name")
	// ErrNotOffered is wrapped when no peer offers the folder.
	ErrNotOffered = errors.New("no peer offers it")
	// ErrNotShared is wrapped when a device is no member of the folder.
	ErrNotShared = errors.New("not shared with this device")
	// ErrNoPath is wrapped when a place is in no folder, or names a path that
	// no member is known to have.
	ErrNoPath = errors.New("no such path")
	// ErrNoBatch is wrapped when no held batch has the ID.
	ErrNoBatch = errors.New("no such batch")
	// ErrNoHistory is wrapped when no vault that can be asked holds the past
	// that is meant.
	ErrNoHistory = errors.New("nothing is known of that time")
	// ErrNoSnapshot is wrapped when no snapshot has the label.
	ErrNoSnapshot = errors.New("no such snapshot")
	// ErrNoVault is wrapped when this device keeps no past of the folder.
	ErrNoVault = errors.New("no history of it is kept here")
	// ErrNotHere is wrapped when a backup is asked for what only a device with
	// the folder's key can do.
	ErrNotHere = errors.New("this device is a backup, which can read nothing")
	// ErrWaiting is wrapped when what was asked for is under way, and waits
	// for something else.
	ErrWaiting = errors.New("not all of it is here yet")
	// ErrPaused is wrapped when what was asked for waits for `kith resume`.
	ErrPaused = errors.New("paused")

	// ErrWrongCode is wrapped on the device that used a wrong pairing code.
	ErrWrongCode = errors.New("the code is wrong")
	// ErrCodeBurnt is wrapped on the device that showed a code when another
	// one has guessed it wrong.
	ErrCodeBurnt = errors.New("someone used a wrong code, so this one is no longer valid")
	// ErrCodeExpired is wrapped when a code is older than it may be.
	ErrCodeExpired = errors.New("the code has expired")
	// ErrDiscoveryOff is wrapped when what was asked for needs discovery beyond
	// the local network, which nobody has allowed.
	ErrDiscoveryOff = errors.New("discovery beyond the local network is off")
	// ErrNoNodes is wrapped when no node of the DHT answered.
	ErrNoNodes = errors.New("no node of the DHT answered")
	// ErrUnreachable is wrapped when a device does not answer where it should
	// be, or knows no place where it could.
	ErrUnreachable = errors.New("not reachable")
	// ErrPairingPaused is wrapped while pairing is paused because too many
	// codes were burnt.
	ErrPairingPaused = errors.New("pairing is paused after several wrong codes")

	// ErrTimeout is wrapped when a deadline passed first.
	ErrTimeout = errors.New("timed out")
	// ErrNotRunning is wrapped when nobody answers at the socket.
	ErrNotRunning = errors.New("the device is not running")
	// ErrAlreadyRunning is wrapped when somebody else serves the socket.
	ErrAlreadyRunning = errors.New("the device is running already")
	// ErrStopping is wrapped when the device ended while it was asked.
	ErrStopping = errors.New("the device stopped")
	// ErrDenied is wrapped when the device belongs to another user.
	ErrDenied = errors.New("the device belongs to another user")
	// ErrUnsupported is wrapped when the device does not know the question.
	ErrUnsupported = errors.New("this device cannot do that")
)
