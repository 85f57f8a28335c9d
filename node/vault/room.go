package vault

import "fmt"

// room tells whether n bytes more may be put.
func (v *Vault) room(t *tx, n int64) error {
	v.mu.Lock()
	limits, used := v.limits, int64(0)
	for id, p := range v.packs {
		if w := v.writers[p.class]; w != nil && w.id == id {
			p.length = w.length // with what this change has appended so far
		}
		used += p.length
	}
	v.mu.Unlock()
	for _, w := range t.created {
		if _, known := v.packs[w.id]; !known {
			used += w.length
		}
	}
	if limits.Quota > 0 && used+n > limits.Quota {
		return fmt.Errorf("%w: %d bytes of %d, and %d to come", ErrQuota, used, limits.Quota, n)
	}
	if limits.KeepFree <= 0 {
		return nil
	}
	free, err := v.free(v.dir)
	if err != nil {
		return fmt.Errorf("free space of %q: %w", v.dir, err)
	}
	if free-n < limits.KeepFree {
		return fmt.Errorf("%w: %d bytes, of which %d are to stay free, and %d to come", ErrDiskFull, free, limits.KeepFree, n)
	}
	return nil
}
