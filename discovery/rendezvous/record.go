package rendezvous

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ipfs/boxo/ipns"
	"github.com/ipfs/boxo/path"
)

const (
	noticeLife = 48 * time.Hour // no node of the public DHT keeps a record longer
	plateLife  = time.Hour      // a code is good for ten minutes, clocks differ
	recordTTL  = time.Minute    // a hint to caches, which kith has none of

	// maxRecord is more than any record of kith takes, in bytes.
	maxRecord = 3 << 10
)

// encoding is that of sealed content in the value of a record, which is to be
// the path of an IPNS name.
var encoding = base64.RawURLEncoding

// newRecord signs and seals a notice as an IPNS record, which every DHT with
// the validators of libp2p takes.
func newRecord(s *slot, n notice, until time.Time) ([]byte, error) {
	value, err := path.NewPath(ipns.NamespacePrefix + encoding.EncodeToString(s.seal(n.encode())))
	if err != nil {
		return nil, fmt.Errorf("make a record: %w", err)
	}
	rec, err := ipns.NewRecord(s.sign, value, n.sequence, until, recordTTL)
	if err != nil {
		return nil, fmt.Errorf("make a record: %w", err)
	}
	raw, err := ipns.MarshalRecord(rec)
	if err != nil {
		return nil, fmt.Errorf("make a record: %w", err)
	}
	return raw, nil
}

// openRecord checks everything about a record that is said to be in a slot
// before it gives its notice. It wraps [ErrRecord], [ErrSeal] or [ErrNotice].
func openRecord(s *slot, raw []byte) (notice, error) {
	if len(raw) > maxRecord {
		return notice{}, fmt.Errorf("%w: %d bytes (at most %d)", ErrRecord, len(raw), maxRecord)
	}
	rec, err := ipns.UnmarshalRecord(raw)
	if err != nil {
		return notice{}, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	if err := ipns.ValidateWithName(rec, s.name); err != nil {
		return notice{}, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	value, sequence, err := contents(rec)
	if err != nil {
		return notice{}, err
	}
	plain, err := s.open(value)
	if err != nil {
		return notice{}, err
	}
	n, err := decodeNotice(plain)
	if err != nil {
		return notice{}, err
	}
	if n.sequence != sequence {
		return notice{}, fmt.Errorf("%w: sequence %d sealed in a record of sequence %d", ErrNotice, n.sequence, sequence)
	}
	return n, nil
}

// contents takes the sealed content and the sequence out of a record.
func contents(rec *ipns.Record) ([]byte, uint64, error) {
	value, err := rec.Value()
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	text, ok := strings.CutPrefix(value.String(), ipns.NamespacePrefix)
	if !ok {
		return nil, 0, fmt.Errorf("%w: its value is no IPNS path", ErrRecord)
	}
	sealed, err := encoding.Strict().DecodeString(text)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	sequence, err := rec.Sequence()
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	return sealed, sequence, nil
}

// validator is that of a private DHT: what libp2p's takes and kith could have
// written, so that nobody can store there what is long or meant to last.
type validator struct{ ipns.Validator }

// Validate is asked before a record is stored, and about every one that is
// received.
func (v validator) Validate(key string, raw []byte) error {
	if len(raw) > maxRecord {
		return fmt.Errorf("%w: %d bytes (at most %d)", ErrRecord, len(raw), maxRecord)
	}
	if err := v.Validator.Validate(key, raw); err != nil {
		return errors.Join(ErrRecord, err)
	}
	rec, err := ipns.UnmarshalRecord(raw)
	if err != nil {
		return errors.Join(ErrRecord, err)
	}
	sealed, _, err := contents(rec)
	if err != nil {
		return err
	}
	if len(sealed) != sealedSize {
		return fmt.Errorf("%w: %d bytes sealed (want %d)", ErrRecord, len(sealed), sealedSize)
	}
	return nil
}

// sealedSize is that of a sealed notice: nonce, notice and tag.
const sealedSize = 12 + noticeSize + 16
