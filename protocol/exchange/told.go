package exchange

import (
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/proto/wirepb"
	"github.com/kithmesh/kith/protocol/frame"
	"github.com/kithmesh/kith/protocol/seal"
)

// told remembers what the peer was last told, so that only changes are sent.
type told struct {
	folders, offers, contacts string
	keys                      map[entry.FolderID]map[entry.Epoch]bool
}

// newTold is for a peer that was told nothing; as it was told of nobody, it
// need not be told that there is nobody.
func newTold() *told { return &told{keys: map[entry.FolderID]map[entry.Epoch]bool{}} }

func (t *told) tell(out *frame.Writer, n News) error {
	t.forget(n.Folders)
	folders := foldersToWire(n.Folders)
	if k := folderKey(n.Folders); k != t.folders {
		if err := out.Write(&wirepb.Tell{What: &wirepb.Tell_Folders{Folders: folders}}); err != nil {
			return err
		}
		t.folders = k
	}
	offers := offersToWire(n.Offers)
	k, err := bytesOf(offers)
	if err != nil {
		return fmt.Errorf("encode offers: %w", err)
	}
	if k := "." + k; k != t.offers {
		if err := out.Write(&wirepb.Tell{What: &wirepb.Tell_Offers{Offers: offers}}); err != nil {
			return err
		}
		t.offers = k
	}
	if err := t.tellContacts(out, n.Contacts); err != nil {
		return err
	}
	for _, a := range n.Asks {
		m := &wirepb.Ask{Folder: a.Folder[:], Nonce: a.Nonce}
		if err := out.Write(&wirepb.Tell{What: &wirepb.Tell_Ask{Ask: m}}); err != nil {
			return err
		}
	}
	return nil
}

func (t *told) tellContacts(out *frame.Writer, contacts []Contact) error {
	m := contactsToWire(contacts)
	k, err := bytesOf(m)
	if err != nil {
		return fmt.Errorf("encode contacts: %w", err)
	}
	if k == t.contacts {
		return nil
	}
	if err := out.Write(&wirepb.Tell{What: &wirepb.Tell_Contacts{Contacts: m}}); err != nil {
		return err
	}
	t.contacts = k
	return nil
}

// tellKeys tells the keys of a folder that the peer neither has nor was told.
func (t *told) tellKeys(
	out *frame.Writer, folder entry.FolderID, has []entry.Epoch, keys map[entry.Epoch]seal.FolderKey,
) error {
	lacks := map[entry.Epoch]seal.FolderKey{}
	for e, k := range keys {
		if _, named := slices.BinarySearch(has, e); !named && !t.keys[folder][e] {
			lacks[e] = k
		}
	}
	if len(lacks) == 0 {
		return nil
	}
	for _, m := range keysMessages(folder, lacks) {
		if err := out.Write(m); err != nil {
			return err
		}
	}
	if t.keys[folder] == nil {
		t.keys[folder] = map[entry.Epoch]bool{}
	}
	for e := range lacks {
		t.keys[folder][e] = true
	}
	return nil
}

// forget forgets the keys of folders that are no longer shared: if they are
// again, the peer may have left and lost them meanwhile.
func (t *told) forget(folders []FolderState) {
	maps.DeleteFunc(t.keys, func(id entry.FolderID, _ map[entry.Epoch]bool) bool {
		return !slices.ContainsFunc(folders, func(f FolderState) bool { return f.Folder == id })
	})
}

// bytesOf tells messages of one kind apart.
func bytesOf(m proto.Message) (string, error) {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	return string(b), err
}

// folderKey changes when a listener has to know: not with each new head, which
// the records themselves carry.
func folderKey(states []FolderState) string {
	k := "."
	for _, f := range states {
		k += fmt.Sprintf("%x %x %x %x %t;", f.Folder, f.Index, f.Replica, f.Roster, f.Settled)
	}
	return k
}
