//go:build !linux

package traffic

// ReadPower knows nothing of batteries here.
func ReadPower() Power { return Power{} }
