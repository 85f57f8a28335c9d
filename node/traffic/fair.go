package traffic

// turns shares something among parties by start-time fair queueing (Goyal, Vin,
// Cheng, SIGCOMM 1996): it is the turn of who has had least, where one that
// comes is counted as having had as much as whoever is served then.
type turns[K comparable] struct {
	had map[K]float64
	far float64 // where the party began that was served last
}

// come notes that a party waits. idle: nobody waited before it, a moment to
// forget those that are behind.
func (t *turns[K]) come(k K, idle bool) {
	if t.had == nil {
		t.had = map[K]float64{}
	}
	if idle {
		for other, had := range t.had {
			if had <= t.far {
				delete(t.had, other)
			}
		}
	}
	t.had[k] = max(t.had[k], t.far)
}

// before tells whether a is to be served before b.
func (t *turns[K]) before(a, b K) bool { return t.had[a] < t.had[b] }

// ahead is how much more a has had than b.
func (t *turns[K]) ahead(a, b K) float64 { return t.had[a] - t.had[b] }

// serve notes what a party was given, maybe before the one whose turn it was.
func (t *turns[K]) serve(k, due K, n int) {
	t.far = max(t.far, t.had[due])
	t.had[k] += float64(n)
}
