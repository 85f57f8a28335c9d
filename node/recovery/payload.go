package recovery

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
)

// A payload is, with numbers in big-endian order:
//
//	  1  format, 1
//	1216 public key of the phrase
//	 64  signature of the phrase's identity over it, see Public
//	  2  n, how many keys follow, 1 to 46
//	 4n  their epochs, ascending
//	1120 encapsulated key
//	32n  the keys, in the order of their epochs, sealed
//	 16  tag
//
// The phrase's device ID is the subject of the statement that carries it. All
// that comes before the encapsulated key is authenticated with the keys.
const (
	payloadFormat = 1
	keySize       = 32
	tagSize       = 16
	encapSize     = 1120 // 1088 of ML-KEM-768, 32 of X25519
	headSize      = 1 + publicSize + proofSize + 2
	maxEpochs     = (roster.MaxPayload - headSize - encapSize - tagSize) / (4 + keySize)
)

// parsed is a payload taken apart, which shares its memory.
type parsed struct {
	kem, proof   []byte
	epochs       []entry.Epoch
	clear        []byte // all before what is encapsulated
	encapsulated []byte
	sealed       []byte
}

func (p *parsed) isFor(q Public) bool {
	return bytes.Equal(p.kem, q.kem) && bytes.Equal(p.proof, q.proof)
}

// parse takes a payload apart, and checks all that can be checked without a
// key. It wraps [ErrPayload].
func parse(payload []byte) (parsed, error) {
	if len(payload) > 0 && payload[0] > payloadFormat {
		return parsed{}, ErrNewer
	}
	if len(payload) < headSize || payload[0] != payloadFormat {
		return parsed{}, fmt.Errorf("%w: cut short", ErrPayload)
	}
	n := int(binary.BigEndian.Uint16(payload[headSize-2:]))
	at := headSize + 4*n
	if n < 1 || n > maxEpochs || len(payload) != at+encapSize+n*keySize+tagSize {
		return parsed{}, fmt.Errorf("%w: cut short or too long", ErrPayload)
	}
	p := parsed{
		kem: payload[1 : 1+publicSize], proof: payload[1+publicSize : headSize-2],
		clear: payload[:at], encapsulated: payload[at : at+encapSize], sealed: payload[at+encapSize:],
	}
	var last entry.Epoch
	for i := range n {
		epoch := entry.Epoch(binary.BigEndian.Uint32(payload[headSize+4*i:]))
		if epoch <= last {
			return parsed{}, fmt.Errorf("%w: epochs out of order", ErrPayload)
		}
		p.epochs = append(p.epochs, epoch)
		last = epoch
	}
	return p, nil
}

// Read tells what everybody may know of a payload that was sealed to the phrase
// of a device ID: the phrase's public side, to which other members can then seal
// keys themselves, and the epochs of the keys, ascending. Whether these can be
// opened shows only to who has the words. Its errors wrap [ErrPayload], or
// [ErrPublic] if the public side is not that of the device.
func Read(device entry.DeviceID, payload []byte) (Public, []entry.Epoch, error) {
	p, err := parse(payload)
	if err != nil {
		return Public{}, nil, fmt.Errorf("read keys sealed to %s: %w", device, err)
	}
	public := Public{device: device, kem: bytes.Clone(p.kem), proof: bytes.Clone(p.proof)}
	if _, err := public.check(); err != nil {
		return Public{}, nil, fmt.Errorf("read keys sealed to %s: %w", device, err)
	}
	return public, p.epochs, nil
}
