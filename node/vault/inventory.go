package vault

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/zeebo/blake3"
)

// inventory is a file of the store that names the packs which were all that the
// vault consisted of at a moment. Packs go to the store one by one, and what one
// says of others is true only when those are there too; so a vault whose
// directory is lost goes back to what the last inventory names. Inventories are
// numbered. One ends with a line that is the BLAKE3 sum of what comes before.
type inventory struct {
	Vault  string   `json:"vault"`
	Moment moment   `json:"moment"` // microseconds since 1970
	Packs  []string `json:"packs"`  // the names of their files
}

const inventorySuffix = ".inventory"

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
	old, err := v.inventories(ctx)
	if err != nil {
		return err
	}
	number := uint64(1)
	if len(old) > 0 {
		number = old[len(old)-1].number + 1
	}
	data, err := in.bytes()
	if err == nil {
		err = v.putFile(ctx, fmt.Sprintf("%08x%s", number, inventorySuffix), bytes.NewReader(data), int64(len(data)))
	}
	if err == nil {
		err = v.step("inventory")
	}
	if err != nil {
		return err
	}
	return v.removeInventories(ctx, old)
}

// inventoryFile is one in the store.
type inventoryFile struct {
	name   string
	number uint64
	size   int64
}

// inventories are those in the store, the newest last.
func (v *Vault) inventories(ctx context.Context) ([]inventoryFile, error) {
	sizes := map[string]int64{}
	err := v.store.List(ctx, func(name string, size int64) error {
		sizes[name] = size
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the inventories: %w: %w", ErrStore, err)
	}
	return inventoriesIn(sizes), nil
}

func inventoriesIn(sizes map[string]int64) (out []inventoryFile) {
	for name, size := range sizes {
		base, is := strings.CutSuffix(name, inventorySuffix)
		if n, err := strconv.ParseUint(base, 16, 64); is && err == nil && size <= maxInventory {
			out = append(out, inventoryFile{name, n, size})
		}
	}
	slices.SortFunc(out, func(a, b inventoryFile) int { return cmp.Compare(a.number, b.number) })
	return out
}

func (v *Vault) removeInventories(ctx context.Context, all []inventoryFile) error {
	for _, f := range all {
		if err := v.store.Remove(ctx, f.name); err != nil {
			return fmt.Errorf("remove %s: %w: %w", f.name, ErrStore, err)
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
	for _, f := range slices.Backward(inventoriesIn(sizes)) {
		data := make([]byte, f.size)
		far := farPack{store: v.store, name: f.name, size: f.size}
		if _, err := far.ReadAt(data, 0); err != nil && f.size > 0 {
			return nil, err
		}
		in, err := parseInventory(data)
		if err == nil {
			return &in, nil
		}
		v.log.Warn("an inventory of a store is damaged", "dir", v.dir, "name", f.name, "err", err)
	}
	return nil, nil
}
