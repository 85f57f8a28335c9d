package folder

import "github.com/kithmesh/kith/index"

// simBug is a fault that is planted in the code, to see that it is found.
type simBug struct {
	name   string
	plant  func(d *simDevice, o *around)
	ground func(d *simDevice, g *ground)
	commit func(d *simDevice, tx *index.Tx) error
}
