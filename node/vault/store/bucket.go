package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"path"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// bucket is a part of a bucket: all keys that begin with a prefix.
type bucket struct {
	client minio.Core
	name   string
	prefix string // ends with a slash
}

// requests is how often a request is made before it has failed.
const requests = 3

// openBucket takes an address without its scheme.
func openBucket(address, part string, a Address) (Place, error) {
	if !strings.Contains(address, "://") {
		address = "https://" + address
	}
	// The errors leave out what was typed: it may have a secret in it.
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Errorf("%w: it is s3:https://HOST/BUCKET", ErrAddress)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("%w: it is s3:https://HOST/BUCKET, with no key and no query in it", ErrAddress)
	}
	name, prefix, _ := strings.Cut(strings.Trim(u.Path, "/"), "/")
	switch {
	case name == "":
		return nil, fmt.Errorf("%q: %w: it names no bucket", a.URL, ErrAddress)
	case a.AccessKey == "" || a.SecretKey == "":
		return nil, fmt.Errorf("%q: %w: there is no access key for it", a.URL, ErrAddress)
	}
	secure := u.Scheme == "https"
	transport, err := minio.DefaultTransport(secure)
	if err != nil {
		return nil, fmt.Errorf("%q: %w: %w", a.URL, ErrAddress, err)
	}
	client, err := minio.NewCore(u.Host, &minio.Options{
		Creds: credentials.NewStaticV4(a.AccessKey, a.SecretKey, ""), Secure: secure,
		Region: a.Region, MaxRetries: requests, Transport: onlyLists{transport},
	})
	if err != nil {
		return nil, fmt.Errorf("%q: %w: %w", a.URL, ErrAddress, err)
	}
	client.SetAppInfo("kith", "1")
	return &bucket{client: *client, name: name, prefix: path.Join(prefix, part) + "/"}, nil
}

// codes of the protocol. The client makes them up as well, from the status of an
// answer: any web server says 404.
const (
	codeNoKey    = "NoSuchKey"
	codeExists   = "PreconditionFailed"
	codeNotMade  = "NotImplemented"
	codeNoBucket = "NoSuchBucket"
)

func code(err error) string { return minio.ToErrorResponse(err).Code }

// told says what was attempted. It lets no error through that would say
// something of a file: those are found by size.
func (b *bucket) told(what, name string, err error) error {
	switch {
	case code(err) == codeNoBucket:
		err = errors.New("there is no such bucket")
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist):
		err = errors.New(err.Error()) // of the connection, not of the file
	}
	return fmt.Errorf("%s %q in bucket %q: %w", what, b.prefix+name, b.name, err)
}

// size asks for the size of a file by a list, which only a bucket can answer. It
// wraps [fs.ErrNotExist] if there is no such file.
func (b *bucket) size(ctx context.Context, name string) (int64, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // which ends what lists
	for o := range b.client.ListObjectsIter(ctx, b.name, minio.ListObjectsOptions{Prefix: b.prefix + name, MaxKeys: 1}) {
		if o.Err != nil {
			return 0, b.told("look for", name, o.Err)
		}
		if o.Key == b.prefix+name { // which comes before all that begin with it
			return o.Size, nil
		}
		break
	}
	if err := ctx.Err(); err != nil {
		return 0, b.told("look for", name, err)
	}
	return 0, fmt.Errorf("look for %q in bucket %q: %w", b.prefix+name, b.name, fs.ErrNotExist)
}

// Prepare puts, reads and removes a file: what is forbidden is known at once.
func (b *bucket) Prepare(ctx context.Context) error {
	const name, text = "kith-store", "Packs of a kith vault lie here.\n"
	if err := b.Put(ctx, name, strings.NewReader(text), int64(len(text))); err != nil {
		return err
	}
	found := false
	err := b.List(ctx, func(one string, _ int64) error {
		found = found || one == name
		return nil
	})
	if err == nil && !found {
		err = fmt.Errorf("bucket %q does not list what was put there", b.name)
	}
	got := make([]byte, len(text))
	if err == nil {
		err = b.ReadAt(ctx, name, got, 0)
	}
	if err == nil && string(got) != text {
		err = fmt.Errorf("bucket %q does not give back what was put there", b.name)
	}
	if err == nil {
		err = b.Remove(ctx, name)
	}
	return err
}

// List implements [Place].
func (b *bucket) List(ctx context.Context, each func(name string, size int64) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // which ends what lists
	for o := range b.client.ListObjectsIter(ctx, b.name, minio.ListObjectsOptions{Prefix: b.prefix, Recursive: true}) {
		if o.Err != nil {
			return b.told("list", "", o.Err)
		}
		name := strings.TrimPrefix(o.Key, b.prefix)
		if strings.Contains(name, "/") {
			continue
		}
		if err := each(name, o.Size); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// ReadAt implements [Place].
func (b *bucket) ReadAt(ctx context.Context, name string, p []byte, off int64) error {
	if len(p) == 0 {
		return nil
	}
	ctx, cancel := patience(ctx, int64(len(p)))
	defer cancel()
	var o minio.GetObjectOptions
	if err := o.SetRange(off, off+int64(len(p))-1); err != nil {
		return b.told("read", name, err)
	}
	body, _, header, err := b.client.GetObject(ctx, b.name, b.prefix+name, o)
	if err != nil {
		return b.notRead(ctx, name, off+int64(len(p)), err)
	}
	defer func() { _ = body.Close() }() // only read
	if !strings.HasPrefix(header.Get("Content-Range"), fmt.Sprintf("bytes %d-", off)) {
		return b.told("read", name, errors.New("the server gives something else than the part that was asked for"))
	}
	if _, err := io.ReadFull(body, p); err != nil {
		return b.notRead(ctx, name, off+int64(len(p)), err)
	}
	return nil
}

// notRead finds out why not all came of a file up to a place: because there is
// none, because it ends before, or for a reason that says nothing of it.
func (b *bucket) notRead(ctx context.Context, name string, end int64, cause error) error {
	size, err := b.size(ctx, name)
	switch {
	case err != nil:
		return err
	case size < end:
		return fmt.Errorf("read %q in bucket %q: %w", b.prefix+name, b.name, io.ErrUnexpectedEOF)
	}
	return b.told("read", name, cause)
}

// Put implements [Place]. The server compares what it gets with an MD5 sum.
func (b *bucket) Put(ctx context.Context, name string, content io.ReaderAt, size int64) error {
	ctx, cancel := patience(ctx, size)
	defer cancel()
	there, err := b.size(ctx, name)
	switch {
	case err == nil && there != size:
		return b.exists(name)
	case err == nil:
		return b.compare(ctx, name, content, size)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	err = b.put(ctx, name, content, size, true)
	switch code(err) {
	case codeNotMade: // a server that cannot refuse to replace
		err = b.put(ctx, name, content, size, false)
	case codeExists: // put by an earlier attempt, whose answer was lost
		return b.compare(ctx, name, content, size)
	}
	if err != nil {
		return b.told("put", name, err)
	}
	return nil
}

func (b *bucket) put(ctx context.Context, name string, content io.ReaderAt, size int64, first bool) error {
	o := minio.PutObjectOptions{ContentType: "application/octet-stream", SendContentMd5: true, DisableMultipart: true}
	if first {
		o.SetMatchETagExcept("*")
	}
	var in io.Reader = io.NewSectionReader(content, 0, size)
	if size == 0 {
		in = bytes.NewReader(nil)
	}
	_, err := b.client.Client.PutObject(ctx, b.name, b.prefix+name, in, size, o)
	return err
}

func (b *bucket) compare(ctx context.Context, name string, content io.ReaderAt, size int64) error {
	same, err := sameContent(ctx, b, name, content, size)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF) || err == nil && !same:
		return b.exists(name)
	default:
		return err
	}
}

func (b *bucket) exists(name string) error {
	return fmt.Errorf("put %q in bucket %q: %w", b.prefix+name, b.name, fs.ErrExist)
}

// Remove implements [Place].
func (b *bucket) Remove(ctx context.Context, name string) error {
	ctx, cancel := patience(ctx, 0)
	defer cancel()
	err := b.client.RemoveObject(ctx, b.name, b.prefix+name, minio.RemoveObjectOptions{})
	if err != nil && code(err) != codeNoKey {
		return b.told("remove", name, err)
	}
	return nil
}
