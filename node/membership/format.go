package membership

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
)

// The documents, as TOML. Times are RFC 3339, keys are in hex by epoch,
// statements are in base64.
type (
	peersDoc struct {
		Peers []peerDoc `toml:"peer"`
	}
	peerDoc struct {
		ID        string   `toml:"id"`
		Name      string   `toml:"name"`
		Given     string   `toml:"given,omitempty"`
		Addresses []string `toml:"addresses,multiline"`
		Asked     []string `toml:"asked,multiline,omitempty"`
		PairedAt  string   `toml:"paired-at"`
		LastSeen  string   `toml:"last-seen"`
	}
	folderDoc struct {
		ID      string `toml:"id"`
		Label   string `toml:"label"`
		Path    string `toml:"path,omitempty"`
		PathHex string `toml:"path-hex,omitempty"` // in place of path, if that is no UTF-8
		Role    string `toml:"role"`
		AddedAt string `toml:"added-at"`
		shared
		Choices []choiceDoc `toml:"choice,omitempty"`
	}
	choiceDoc struct {
		PathHex string `toml:"path-hex"` // names are bytes
		Here    bool   `toml:"here"`
		Pinned  bool   `toml:"pinned,omitempty"`
	}
	offerDoc struct {
		Folder string `toml:"folder"`
		Label  string `toml:"label"`
		From   string `toml:"from"`
		Role   string `toml:"role"`
		At     string `toml:"at"`
		shared
	}
	shared struct {
		Roster []string          `toml:"roster,multiline"`
		Keys   map[string]string `toml:"keys"`
	}
)

func encodePeers(peers []Peer) ([]byte, error) {
	var doc peersDoc
	for i := range peers {
		p := &peers[i]
		doc.Peers = append(doc.Peers, peerDoc{
			ID: string(p.ID), Name: p.Name, Given: p.Given, Addresses: p.Addresses, Asked: p.Asked,
			PairedAt: timeText(p.PairedAt), LastSeen: timeText(p.LastSeen),
		})
	}
	return toml.Marshal(doc)
}

// decodePeers reads what encodePeers wrote. Like its kin below, it wraps
// [ErrDamaged] or [ErrInvalid].
func decodePeers(text []byte) (map[entry.DeviceID]Peer, error) {
	var doc peersDoc
	if err := decodeTOML(text, &doc); err != nil {
		return nil, err
	}
	peers := make(map[entry.DeviceID]Peer)
	for _, d := range doc.Peers {
		p := Peer{ID: entry.DeviceID(d.ID), Name: d.Name, Given: d.Given, Addresses: append([]string(nil), d.Addresses...), Asked: append([]string(nil), d.Asked...)}
		var err, err2 error
		p.PairedAt, err = parseTime(d.PairedAt)
		p.LastSeen, err2 = parseTime(d.LastSeen)
		if err := errors.Join(err, err2, p.check()); err != nil {
			return nil, err
		}
		if _, twice := peers[p.ID]; twice {
			return nil, fmt.Errorf("%w: peer %q twice", ErrDamaged, p.ID)
		}
		peers[p.ID] = p
	}
	return peers, nil
}

func encodeFolder(f *Folder) ([]byte, error) {
	doc := folderDoc{
		ID: f.ID.String(), Label: f.Label, Path: f.Path, Role: f.Role.String(),
		AddedAt: timeText(f.AddedAt), shared: encodeShared(f.Roster, f.Keys),
	}
	if !utf8.ValidString(f.Path) {
		doc.Path, doc.PathHex = "", hex.EncodeToString([]byte(f.Path))
	}
	for _, c := range f.Choices {
		doc.Choices = append(doc.Choices, choiceDoc{hex.EncodeToString([]byte(c.Path)), c.Here, c.Pinned})
	}
	return toml.Marshal(doc)
}

func decodeFolder(text []byte) (f Folder, err error) {
	var doc folderDoc
	if err := decodeTOML(text, &doc); err != nil {
		return Folder{}, err
	}
	f.Label = doc.Label
	if f.ID, err = entry.ParseFolderID(doc.ID); err != nil {
		return Folder{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if f.Role, err = entry.ParseRole(doc.Role); err != nil {
		return Folder{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if f.Path, err = doc.path(); err != nil {
		return Folder{}, err
	}
	if f.Roster, f.Keys, err = doc.decode(); err != nil {
		return Folder{}, err
	}
	if f.AddedAt, err = parseTime(doc.AddedAt); err != nil {
		return Folder{}, err
	}
	for _, c := range doc.Choices {
		raw, err := hex.DecodeString(c.PathHex)
		if err != nil {
			return Folder{}, fmt.Errorf("%w: choice %q", ErrDamaged, c.PathHex)
		}
		f.Choices = append(f.Choices, Choice{entry.Path(raw), c.Here, c.Pinned})
	}
	return f, f.check()
}

func (d *folderDoc) path() (string, error) {
	raw, err := hex.DecodeString(d.PathHex)
	if err != nil || d.PathHex != "" && (d.Path != "" || utf8.Valid(raw)) {
		return "", fmt.Errorf("%w: path %q, %q", ErrDamaged, d.Path, d.PathHex)
	}
	return d.Path + string(raw), nil
}

func encodeOffer(o *Offer) ([]byte, error) {
	return toml.Marshal(offerDoc{
		Folder: o.Folder.String(), Label: o.Label, From: string(o.From), Role: o.Role.String(),
		At: timeText(o.At), shared: encodeShared(o.Statements, o.Keys),
	})
}

func decodeOffer(text []byte) (o Offer, err error) {
	var doc offerDoc
	if err := decodeTOML(text, &doc); err != nil {
		return Offer{}, err
	}
	o.Label, o.From = doc.Label, entry.DeviceID(doc.From)
	if o.Folder, err = entry.ParseFolderID(doc.Folder); err != nil {
		return Offer{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if o.Role, err = entry.ParseRole(doc.Role); err != nil {
		return Offer{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if o.Statements, o.Keys, err = doc.decode(); err != nil {
		return Offer{}, err
	}
	if o.At, err = parseTime(doc.At); err != nil {
		return Offer{}, err
	}
	return o, o.check()
}

func encodeShared(statements []roster.Statement, keys map[entry.Epoch]Key) shared {
	out := shared{Keys: make(map[string]string)}
	for i := range statements {
		out.Roster = append(out.Roster, base64.StdEncoding.EncodeToString(statements[i].Encode()))
	}
	for epoch, key := range keys {
		out.Keys[strconv.FormatUint(uint64(epoch), 10)] = key.hex()
	}
	return out
}

func (d *shared) decode() (statements []roster.Statement, keys map[entry.Epoch]Key, err error) {
	for _, text := range d.Roster {
		raw, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: a statement in no base64", ErrDamaged)
		}
		s, err := roster.Decode(raw)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		statements = append(statements, s)
	}
	for text, secret := range d.Keys {
		epoch, err := strconv.ParseUint(text, 10, 32)
		if err != nil || text != strconv.FormatUint(epoch, 10) {
			return nil, nil, fmt.Errorf("%w: epoch %q", ErrDamaged, text)
		}
		key, err := parseKey(secret)
		if err != nil {
			return nil, nil, err
		}
		if keys == nil {
			keys = make(map[entry.Epoch]Key)
		}
		keys[entry.Epoch(epoch)] = key
	}
	return statements, keys, nil
}

// decodeTOML shows nothing of the text in its errors: there are keys in it.
func decodeTOML(text []byte, doc any) error {
	if err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(doc); err != nil {
		return fmt.Errorf("%w: it is no TOML of this version of kith", ErrDamaged)
	}
	return nil
}

// normalTime is t as it will be read again.
func normalTime(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Round(0)
}

// writable tells whether a time has a form in RFC 3339.
func writable(t time.Time) bool { return t.Year() >= 1 && t.Year() <= 9999 }

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339Nano)
}

func parseTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: time %q", ErrDamaged, text)
	}
	return normalTime(t), nil
}
