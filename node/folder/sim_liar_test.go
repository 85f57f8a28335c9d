package folder

import "github.com/kithmesh/kith/protocol/exchange"

// lies tells whether the device is the liar of its mesh.
func (d *simDevice) lies() bool { return d.w.plan.liesBy == d.number && !d.w.calm }

func (l *simLine) lie(b exchange.Batch, send func(exchange.Batch)) { send(b) }

func (l *simLine) lieAbout(sealed []byte) ([]byte, error) { return sealed, nil }
