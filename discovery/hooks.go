package discovery

// metChanged is called when a device has been connected or disconnected, been
// trusted or distrusted, with the mutex of the Net held. It never blocks.
func (n *Net) metChanged() {
	nudge(n.notices.wake)
	nudge(n.notices.met)
}

// networkChanged is called when the network of this machine is another one, or
// it has slept. It never blocks.
func (n *Net) networkChanged() {
	n.notices.moved.Store(true)
	nudge(n.notices.wake)
}
