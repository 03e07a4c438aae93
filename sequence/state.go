package sequence

// A state is how far a sequence has come.
type state struct {
	cfg  Config
	used bool  // a number was taken
	last int64 // the last one, if used
}

// left gives how many numbers there are before the sequence ends or begins
// again. It does not count beyond 2^64-1.
func (s state) left() uint64 {
	if !s.used {
		return s.cfg.from(s.cfg.Start)
	}
	return s.cfg.ahead(s.last)
}

// first gives the next number. There must be one left.
func (s state) first() int64 {
	if !s.used {
		return s.cfg.Start
	}
	return s.cfg.move(s.last, 1)
}

// at gives the state in which n was the last number taken.
func (s state) at(n int64) state { return state{cfg: s.cfg, used: true, last: n} }

// take takes the next n numbers, n being positive, and gives the state behind
// them. A range never holds a number twice: it is no longer than a whole cycle.
func (s state) take(n uint64) (Range, state, error) {
	left := s.left()
	switch {
	case n <= left:
		r := Range{cfg: s.cfg, first: s.first(), n: n, straight: n}
		return r, s.at(r.Last()), nil
	case !s.cfg.Cycle:
		return Range{}, s, &ExhaustedError{Config: s.cfg, Wanted: n, Left: left}
	case n > s.cfg.from(s.cfg.origin()):
		return Range{}, s, &ExhaustedError{Config: s.cfg, Wanted: n, Left: s.cfg.from(s.cfg.origin())}
	case left == 0:
		r := Range{cfg: s.cfg, first: s.cfg.origin(), n: n, straight: n}
		return r, s.at(r.Last()), nil
	}
	r := Range{cfg: s.cfg, first: s.first(), n: n, straight: left}
	return r, s.at(r.Last()), nil
}

// takeUpTo takes n numbers, or fewer if there are no more.
func (s state) takeUpTo(n uint64) (Range, state, error) {
	most := s.left()
	if s.cfg.Cycle {
		most = s.cfg.from(s.cfg.origin())
	}
	return s.take(max(min(n, most), 1))
}
