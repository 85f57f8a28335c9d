package vault

import "fmt"

// shortage is why there is no room, and how many bytes would have to go.
type shortage struct {
	lack int64
	err  error
}

func (s *shortage) Error() string { return s.err.Error() }
func (s *shortage) Unwrap() error { return s.err }

// freeIndex is how much of the index does not count against the quota: that of
// any vault has so much.
const freeIndex = 1 << 20

// room tells whether n bytes more may be put. Its error is a *shortage where
// not.
func (v *Vault) room(t *tx, n int64) error {
	limits, used := v.limitsNow(), int64(0)
	v.mu.Lock()
	for id, p := range v.packs {
		if w := v.writers[p.class]; w != nil && w.id == id {
			p.length = w.length // with what this change has appended so far
		}
		if !p.leaves() {
			used += p.length
		}
	}
	v.mu.Unlock()
	for _, w := range t.created {
		if _, known := v.packs[w.id]; !known {
			used += w.length
		}
	}
	if !v.rolling {
		// The index takes room, too, and gives none back until it is written
		// anew; a rolling vault could drop all that it has for that, and in vain.
		used += max(0, t.records.bolt.Tx().Size()-freeIndex)
	}
	if limits.Quota > 0 && used+n > limits.Quota {
		err := fmt.Errorf("%w: %d bytes of %d, and %d to come", ErrQuota, used, limits.Quota, n)
		return &shortage{used + n - limits.Quota, err}
	}
	if limits.KeepFree <= 0 {
		return nil
	}
	free, err := v.free(v.dir)
	if err != nil {
		return fmt.Errorf("free space of %q: %w", v.dir, err)
	}
	if free-n < limits.KeepFree {
		err := fmt.Errorf("%w: %d bytes, of which %d are to stay free, and %d to come", ErrDiskFull, free, limits.KeepFree, n)
		return &shortage{limits.KeepFree - (free - n), err}
	}
	return nil
}

func (v *Vault) limitsNow() Limits {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.limits
}

// Free is how many bytes this user may still write to a directory's file system.
func Free(dir string) (int64, error) { return diskFree(dir) }
