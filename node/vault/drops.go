package vault

import (
	"encoding/binary"
	"fmt"
)

// appendDrops appends the data of an entry that makes others dead.
func appendDrops(dst []byte, thinned moment, at []location) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(thinned))
	for _, l := range at {
		dst = l.append(dst)
	}
	return dst
}

func parseDrops(data []byte) (thinned moment, at []location, err error) {
	if len(data) < 8 || (len(data)-8)%locationSize != 0 {
		return 0, nil, fmt.Errorf("%w: a drop of %d bytes", errBad, len(data))
	}
	thinned = moment(binary.LittleEndian.Uint64(data))
	for data = data[8:]; len(data) > 0; data = data[locationSize:] {
		at = append(at, parseLocation(data))
	}
	return thinned, at, nil
}

// appendRetired appends the data of the entry that ends a copied pack: the
// packs that it replaces.
func appendRetired(dst []byte, packs []packID) []byte {
	for _, p := range packs {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(p))
	}
	return dst
}

func parseRetired(data []byte) ([]packID, error) {
	if len(data)%4 != 0 {
		return nil, fmt.Errorf("%w: %d bytes of retired packs", errBad, len(data))
	}
	var out []packID
	for ; len(data) > 0; data = data[4:] {
		out = append(out, packID(binary.LittleEndian.Uint32(data)))
	}
	return out, nil
}
