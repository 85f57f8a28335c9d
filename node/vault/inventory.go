package vault

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
	Head   uint64   `json:"head"`   // the last sequence number
	Packs  []string `json:"packs"`  // the names of their files, sorted
	Open   []string `json:"open"`   // of those that were to become more then
}

const inventorySuffix = ".inventory"

// takeInventory says in the store that all that the vault held at a moment lies
// there, and removes what said so before.
func (v *Vault) takeInventory(ctx context.Context, at moment, head uint64) error {
	v.mu.Lock()
	in := inventory{Vault: hex.EncodeToString(v.st.vault[:]), Moment: at, Head: head}
	for id, p := range v.packs {
		switch name := packName(id, p.class); {
		case p.retired:
		case p.stowed:
			in.Packs = append(in.Packs, name)
		default:
			in.Open = append(in.Open, name)
		}
	}
	v.mu.Unlock()
	slices.Sort(in.Packs)
	_, sizes, err := v.farFiles(ctx)
	if err != nil {
		return err
	}
	if err := v.isComplete(ctx, &in, sizes); err != nil {
		return err
	}
	// What is lost there is noted as damaged by now, or will be.
	in.Packs = slices.DeleteFunc(in.Packs, func(name string) bool { return sizes[name] == 0 })
	old := inventoriesIn(sizes)
	if len(in.Packs) == 0 {
		return v.removeInventories(ctx, old)
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
	err := v.place().List(ctx, func(name string, size int64) error {
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
		if err := v.place().Remove(ctx, f.name); err != nil {
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
func (v *Vault) lastInventory(ctx context.Context, sizes map[string]int64) (*inventory, error) {
	ctx, cancel := v.bound(ctx)
	defer cancel()
	for _, f := range slices.Backward(inventoriesIn(sizes)) {
		data := make([]byte, f.size)
		err := v.place().ReadAt(ctx, f.name, data, 0)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("read %s: %w: %w", f.name, ErrStore, err)
		}
		var in inventory
		if err == nil {
			in, err = parseInventory(data)
		}
		if err == nil {
			return &in, nil
		}
		v.log.Warn("an inventory of a store is damaged", "dir", v.dir, "name", f.name, "err", err)
	}
	return nil, nil
}
