package sequence

import (
	"context"
	"math"
	"slices"
	"sync"

	"github.com/quorate/quorate/internal/mutant"
	"github.com/quorate/quorate/internal/pace"
)

// Turns. All calls of a process on one sequence share one counter, and one of
// them at a time has the turn: it sends. Calls that only want numbers gather
// meanwhile, and the next of them that gets the turn takes numbers for all in
// one commit. Calls that need a commit of their own (NextIn, Set, ...) wait in
// a line of theirs, and the two kinds take turns, so that neither starves the
// other.
//
// No goroutine is started for any of this: whoever has the turn works on its
// caller's goroutine and passes the turn on when it is done or its context has
// ended. A commit that is under way for several and loses its sender is taken
// up by another of them, who repeats it as it is.
type turns struct {
	mu     sync.Mutex
	taken  bool
	takes  []*call // that want numbers
	solos  []*call // that need a commit of their own
	soloed bool    // the last turn was a solo's
	flight *flight // a commit that has lost its sender, its outcome or that of one before unknown
}

// A call waits for its turn, or for whoever has it to do its part.
type call struct {
	n    uint64 // numbers wanted; 0 of a solo
	upTo bool   // fewer will do if there are no more

	// Guarded by turns.mu.
	status status
	wake   chan struct{} // holds a token when it has the turn or is done

	// Set before it is done.
	got grant
	err error
}

type status uint8

const (
	waiting status = iota
	flying         // in a commit that is under way
	leading        // has the turn
	done
)

// A grant is what a call for numbers gets.
type grant struct {
	r      Range
	before state // of the sequence, just before these numbers were taken
	base   int64 // the mod revision that the commit rested on, if these are its first numbers
	rev    int64 // the revision of the commit
	tail   bool  // these are its last numbers
}

func newCall(n uint64) *call { return &call{n: n, wake: make(chan struct{}, 1)} }

// enter waits until k has the turn, and reports so, or until others have done
// its part. Whoever has the turn calls leave. An error means that ctx has ended;
// it is a doubt if numbers may have been taken.
func (t *turns) enter(ctx context.Context, k *call) (lead bool, err error) {
	t.mu.Lock()
	if k.n > 0 {
		t.takes = append(t.takes, k)
	} else if t.taken {
		t.solos = append(t.solos, k)
	}
	if !t.taken {
		t.taken = true
		k.status = leading
	}
	lead = k.status == leading
	t.mu.Unlock()
	if lead {
		return true, nil
	}
	select {
	case <-k.wake:
		// done never changes any more, and nobody else changes leading.
		return k.status == leading, nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.takes = without(t.takes, k)
	t.solos = without(t.solos, k)
	switch k.status {
	case done:
		return false, nil // it came in time after all
	case flying: // its numbers are taken, or will be
		k.status = done // nobody looks at it any more
		return false, doubt{pace.Over(ctx)}
	case leading:
		err = pace.Over(ctx)
		if t.flight != nil { // it was to take that up
			t.flight.calls = without(t.flight.calls, k)
			err = doubt{err}
		}
		t.pass()
		return false, err
	}
	return false, pace.Over(ctx)
}

func without(calls []*call, k *call) []*call {
	return slices.DeleteFunc(calls, func(o *call) bool { return o == k })
}

// leave passes the turn on.
func (t *turns) leave(solo bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.soloed = solo
	t.pass()
}

// pass gives the turn to whoever comes next. The caller holds the mutex.
func (t *turns) pass() {
	if f := t.flight; f != nil {
		f.calls = slices.DeleteFunc(f.calls, func(k *call) bool { return k.status == done })
		if len(f.calls) > 0 {
			f.calls[0].lead()
			return
		}
		t.flight = nil // nobody wants to know any more
	}
	switch {
	case len(t.solos) > 0 && (!t.soloed && !mutant.SequenceStarvesNextIn || len(t.takes) == 0):
		k := t.solos[0]
		t.solos = t.solos[1:]
		k.lead()
	case len(t.takes) > 0:
		t.takes[0].lead()
	default:
		t.taken = false
	}
}

func (k *call) lead() {
	k.status = leading
	k.wake <- struct{}{}
}

// A flight is a commit that takes numbers for several calls.
type flight struct {
	calls  []*call
	change *change // nil while nothing is in doubt
	untold bool    // what an earlier change took may be lost
}

// board gives the flight of a call for numbers that has the turn: the one that
// has lost its sender, or a new one.
func (t *turns) board() *flight {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.flight
	if t.flight = nil; f == nil {
		f = new(flight)
	}
	return f
}

// join takes along all who want numbers, and leaves out those who have gone.
// First it lets those run whose calls have just returned.
func (t *turns) join(f *flight) {
	pace.Gather(math.MaxInt, func() int {
		t.mu.Lock()
		defer t.mu.Unlock()
		return len(t.takes)
	})
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range t.takes {
		if k.status == waiting {
			k.status = flying
		}
	}
	f.calls = slices.DeleteFunc(append(f.calls, t.takes...), func(k *call) bool { return k.status == done })
	t.takes = nil
}

// land tells all in f what they got.
func (t *turns) land(f *flight, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range f.calls {
		if err != nil {
			k.got, k.err = grant{}, err
		}
		if k.status == flying {
			k.status = done
			k.wake <- struct{}{}
		}
	}
}

// abandon is for a sender whose own context has ended: the others in f go on
// without it.
func (t *turns) abandon(f *flight, sender *call) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f.calls = without(f.calls, sender)
	t.takes = without(t.takes, sender)
	if f.untold || f.change != nil && f.change.open {
		t.flight = f
		return
	}
	f.calls = slices.DeleteFunc(f.calls, func(k *call) bool { return k.status == done })
	for _, k := range f.calls {
		k.status = waiting
	}
	t.takes = append(f.calls, t.takes...)
}
