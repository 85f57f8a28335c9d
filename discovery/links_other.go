//go:build !linux

package discovery

// linkNews gives nothing: these systems are polled.
func linkNews() (news <-chan struct{}, stop func()) { return nil, func() {} }
