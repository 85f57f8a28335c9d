package vault

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/zeebo/blake3"
)

// inventory is a file of the store that names the packs which were all that the
// vault consisted of at a moment. Packs go to the store one by one, and what one
// says of others is true only when those are there too; so a vault whose
// directory is lost goes back to what the last inventory names. It is named
// after its moment, and ends with a line that is the BLAKE3 sum of what comes
// before.
type inventory struct {
	Vault  string   `json:"vault"`
	Moment moment   `json:"moment"` // microseconds since 1970
	Packs  []string `json:"packs"`  // the names of their files
}

const inventorySuffix = ".inventory"

func inventoryName(m moment) string { return fmt.Sprintf("%016x%s", uint64(m), inventorySuffix) }

// takeInventory says in the store that all that the vault held at a moment lies
// there, and removes what said so before.
func (v *Vault) takeInventory(ctx context.Context, at moment) error {
	v.mu.Lock()
	in := inventory{Vault: hex.EncodeToString(v.st.vault[:]), Moment: at}
	for id, p := range v.packs {
		if p.stowed && !p.retired {
			in.Packs = append(in.Packs, packName(id, p.class))
		}
	}
	v.mu.Unlock()
	slices.Sort(in.Packs)
	data, err := in.bytes()
	if err == nil {
		err = v.putFile(ctx, inventoryName(at), bytes.NewReader(data), int64(len(data)))
	}
	if err != nil {
		return err
	}
	if err := v.step("inventory"); err != nil {
		return err
	}
	return v.removeInventories(ctx, at)
}

// removeInventories removes those of before a moment.
func (v *Vault) removeInventories(ctx context.Context, before moment) error {
	var old []string
	err := v.store.List(ctx, func(name string, _ int64) error {
		if strings.HasSuffix(name, inventorySuffix) && name < inventoryName(before) {
			old = append(old, name)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("list the inventories: %w: %w", ErrStore, err)
	}
	for _, name := range old {
		if err := v.store.Remove(ctx, name); err != nil {
			return fmt.Errorf("remove %s: %w: %w", name, ErrStore, err)
		}
	}
	return nil
}

func (in *inventory) bytes() ([]byte, error) {
	data, err := json.MarshalIndent(in, "", " ")
	if err != nil {
		return nil, err
	}
	data = append(data, '\n')
	sum := blake3.Sum256(data)
	return append(hex.AppendEncode(data, sum[:]), '\n'), nil
}

// parseInventory wraps errBad for what bytes did not write.
func parseInventory(data []byte) (in inventory, err error) {
	body := bytes.TrimSuffix(data, []byte("\n"))
	body = body[:bytes.LastIndexByte(body, '\n')+1]
	sum := blake3.Sum256(body)
	if hex.EncodeToString(sum[:])+"\n" != string(data[len(body):]) {
		return in, fmt.Errorf("%w: an inventory fails its checksum", errBad)
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return in, fmt.Errorf("%w: an inventory: %w", errBad, err)
	}
	return in, nil
}

// maxInventory bounds an inventory, in bytes.
const maxInventory = 1 << 30

// lastInventory reads the newest inventory that is whole, among files with
// their sizes; nil if there is none.
func (v *Vault) lastInventory(sizes map[string]int64) (*inventory, error) {
	var names []string
	for name := range sizes {
		if strings.HasSuffix(name, inventorySuffix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range slices.Backward(names) {
		if sizes[name] > maxInventory {
			continue
		}
		data := make([]byte, sizes[name])
		if len(data) > 0 {
			far := farPack{store: v.store, name: name, size: int64(len(data))}
			if _, err := far.ReadAt(data, 0); err != nil {
				return nil, err
			}
		}
		in, err := parseInventory(data)
		if err == nil {
			return &in, nil
		}
		v.log.Warn("an inventory of a store is damaged", "dir", v.dir, "name", name, "err", err)
	}
	return nil, nil
}
