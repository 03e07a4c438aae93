package etcd

// A position says how far a watch has come: it has all events of the revisions
// before rev, and the first n of those of rev. Within a revision events have
// an order, and it is the same whenever they are asked for.
type position struct {
	rev   int64
	n     int32
	whole bool // rev has no further events
	cut   bool // rev has further events, which were dropped
}

// behind is the position of a watch that has all of rev.
func behind(rev int64) position { return position{rev: rev, whole: true} }

// next is the revision to ask for in order to go on.
func (p position) next() int64 {
	if p.whole {
		return p.rev + 1
	}
	return p.rev
}

// reached is the last revision that the watch has all of.
func (p position) reached() int64 { return p.next() - 1 }

// has reports whether the n-th event of rev lies before p.
func (p position) has(rev int64, n int32) bool {
	return rev < p.rev || rev == p.rev && (p.whole || n <= p.n)
}
