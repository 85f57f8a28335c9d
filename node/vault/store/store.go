// Package store knows the places beside a vault's own directory where its packs
// can lie: a bucket of a service that speaks the protocol of Amazon S3, and a
// directory on another disk.
//
// A place holds files with names. A file is put once, whole and durably, and
// never changed; it is read from anywhere, and removed. A place belongs to one
// vault of one device: [Address.Open] gives each a part of its own of what a
// person has named.
//
// What is missing is told from what cannot be reached: only an error that wraps
// [fs.ErrNotExist] or [io.ErrUnexpectedEOF] says something of a file. A bucket
// that is gone, a key that is refused and a disk that is not mounted are not
// that.
//
// All of it is safe for concurrent use. Nothing waits for ever: a call that
// moves n bytes is given two minutes and a second for each 16 KiB.
package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"
)

// ErrAddress: what should say where packs are to lie does not.
var ErrAddress = errors.New("not the address of a store")

// Place is where files lie.
type Place interface {
	// List tells of all files, with their sizes in bytes, in any order.
	List(ctx context.Context, each func(name string, size int64) error) error
	// ReadAt fills p from an offset on. It wraps [fs.ErrNotExist] if there is
	// no such file, and [io.ErrUnexpectedEOF] if it ends before.
	ReadAt(ctx context.Context, name string, p []byte, off int64) error
	// Put stores a file of size bytes, durably. A file of that name stays: Put
	// returns nil if it has the same bytes, and else wraps [fs.ErrExist].
	Put(ctx context.Context, name string, content io.ReaderAt, size int64) error
	// Remove removes a file; one that is not there is removed already.
	Remove(ctx context.Context, name string) error
	// Prepare makes the place ready to be used, and finds out whether it can be.
	Prepare(ctx context.Context) error
}

// Address says where a place is, and as whom to go there.
type Address struct {
	// URL is s3:https://HOST[:PORT]/BUCKET[/PREFIX], where https:// may be left
	// out, or the absolute path of a directory.
	URL string `json:"url"`
	// AccessKey, SecretKey and Region are for a bucket. A region that is empty
	// is asked for.
	AccessKey string `json:"access_key,omitempty"`
	SecretKey string `json:"secret_key,omitempty"`
	Region    string `json:"region,omitempty"`
}

// Check returns an error that wraps [ErrAddress] if the address cannot be one.
func (a Address) Check() error {
	_, err := a.Open("check")
	return err
}

// IsPlace tells whether what the address names is a bucket, or a directory that
// a vault's packs were put into.
func (a Address) IsPlace() bool {
	return strings.HasPrefix(a.URL, bucketScheme) || filepath.IsAbs(a.URL) && directory{a.URL}.check() == nil
}

const bucketScheme = "s3:"

// Open is the part of the place that has a name, such as "FOLDER/DEVICE". It
// goes nowhere yet.
func (a Address) Open(part string) (Place, error) {
	rest, bucket := strings.CutPrefix(a.URL, bucketScheme)
	switch {
	case bucket:
		return openBucket(rest, part, a)
	case filepath.IsAbs(a.URL):
		return directory{filepath.Join(a.URL, filepath.FromSlash(part))}, nil
	default:
		return nil, fmt.Errorf("%w: it is s3:https://HOST/BUCKET, or the absolute path of a directory", ErrAddress)
	}
}

// patience bounds what moves n bytes.
func patience(ctx context.Context, n int64) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, 2*time.Minute+time.Duration(n>>14)*time.Second)
}

// compareSize is how many bytes are compared at a time.
const compareSize = 4 << 20

// sameContent tells whether a file of a size has just these bytes.
func sameContent(ctx context.Context, p Place, name string, content io.ReaderAt, size int64) (bool, error) {
	a, b := make([]byte, min(size, compareSize)), make([]byte, min(size, compareSize))
	for off := int64(0); off < size; off += compareSize {
		n := min(compareSize, size-off)
		if err := p.ReadAt(ctx, name, a[:n], off); err != nil {
			return false, err
		}
		if _, err := content.ReadAt(b[:n], off); err != nil && !errors.Is(err, io.EOF) {
			return false, err
		}
		if string(a[:n]) != string(b[:n]) {
			return false, nil
		}
	}
	return true, nil
}
