package line

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/mutant"
)

// A Want is a place in a line that somebody asks for.
type Want struct {
	Line *Line
	Rule Rule
	Note Note
}

// An Entry is a contender in one line, or in several at once: its keys were
// created in one commit and have one create revision, its token. It is made by
// Acquire or Try and is good until Release. It is safe for concurrent use.
type Entry struct {
	s      *etcd.Session
	places []place
	rev    int64

	// life ends, with a cause, when the entry is known to hold no more, or
	// when it leaves. It hangs on the session's context.
	life context.Context
	end  context.CancelCauseFunc

	// Of a place that can be handed over: first is a revision at which the
	// entry stood first, 0 before; bequest is what was handed to it while it
	// waited, and inherited is closed then; asked tells of the latest wish that
	// it hand over.
	first     atomic.Int64
	bequest   atomic.Pointer[bequest]
	inherited chan struct{}
	asked     chan Asking
	lastAsked Asking   // guarded by mu
	wake      func()   // ends the wait of an entry that inherits; guarded by mu
	at        *etcd.KV // a candidate's key after its last proclamation, or as it was found; nil where not known for sure; guarded by leaving

	// gone is set as soon as a key is known not to be there any more, which is
	// before life can be ended with the right cause.
	gone atomic.Bool

	// waited: somebody was in front, so it watches its keys.
	waited bool

	// sitting: nobody is in front, and it waits for the end of a quarantine.
	sitting bool

	// suspect: some attempt to create the keys had no answer, so a late one
	// may still create them.
	suspect bool

	mu     sync.Mutex
	closed bool        // no goroutine may be started any more
	loss   error       // why it was no longer good when it was released
	timer  *time.Timer // starts watching the keys of an entry that did not wait
	stop   func()      // ends the watches of the keys
	wg     sync.WaitGroup

	leaving chan struct{} // holds a token while somebody removes the keys
	left    bool          // the keys are gone, or go with the lease; guarded by leaving
	unsure  bool          // a removal was left to the janitor; guarded by leaving
}

// place is the entry's place in one line.
type place struct {
	Want
	key   string
	value []byte
	// tenure is what it writes down when it holds, in a line that has a
	// quarantine.
	tenure []byte
	view   view // who is in front
	slot   int  // of an attempt to create the key: the first of its results otherwise

	// told is where the watch of the entry's key says from which revision on it
	// sees everything, to who then looks for what was before (see promise); nil
	// where nobody looks.
	told chan int64
}

func newEntry(wants []Want) *Entry {
	e := &Entry{s: wants[0].Line.s, leaving: make(chan struct{}, 1)}
	if wants[0].Rule.Handover {
		e.inherited, e.asked = make(chan struct{}), make(chan Asking, 1)
	}
	e.places = make([]place, 0, len(wants))
	for _, w := range wants {
		w.Note.Quarantine = w.Rule.quarantine()
		p := place{Want: w, key: w.Line.takeKey(), value: w.Note.encode()}
		if w.Rule.Raw {
			p.value = w.Note.Value
		}
		p.tenure = p.newTenure()
		e.places = append(e.places, p)
	}
	e.life, e.end = context.WithCancelCause(e.s.Context())
	return e
}

// Token is the create revision of the entry's keys or, where places can be
// handed over, a revision at which it stood first. In each of its lines later
// holders have greater ones.
func (e *Entry) Token() int64 {
	if first := e.stood(); first != 0 {
		return first
	}
	return e.rev
}

// Context ends, with a cause, when the entry has lost its place or has left.
func (e *Entry) Context() context.Context { return e.life }

// Err tells why the entry is no longer good, or nil. It looks at the clock, so
// it is right also before any timer has fired.
func (e *Entry) Err() error {
	if err := context.Cause(e.life); err != nil {
		return err
	}
	if err := e.s.Err(); err != nil {
		return err
	}
	if e.gone.Load() {
		return ErrDeleted // the exact cause is being asked for
	}
	return nil
}

// Guard holds as long as the entry's keys are as it created them.
func (e *Entry) Guard() etcd.Cmp {
	return e.all(func(p *place) etcd.Cmp {
		if p.Rule.Strict && !mutant.LockLooseGuard {
			return etcd.IfModRevision(etcd.Key(p.key), etcd.Equal, e.rev)
		}
		return e.own(p)
	})
}

// Presence holds as long as the entry's keys are there, changed or not.
func (e *Entry) Presence() etcd.Cmp { return e.all(e.own) }

func (e *Entry) all(f func(*place) etcd.Cmp) etcd.Cmp {
	if len(e.places) == 1 {
		return f(&e.places[0])
	}
	cs := make([]etcd.Cmp, len(e.places))
	for i := range e.places {
		cs[i] = f(&e.places[i])
	}
	return etcd.AllOf(cs...)
}

// own holds if the key is the entry's.
func (e *Entry) own(p *place) etcd.Cmp {
	if p.Rule.Handover {
		return e.ownFirst(p)
	}
	return etcd.IfCreateRevision(etcd.Key(p.key), etcd.Equal, e.rev)
}

// transient reports whether an error of a call may pass by itself while the
// session lives.
func transient(err error) bool {
	if errors.Is(err, etcd.ErrClosed) || errors.Is(err, etcd.ErrNoSpace) || errors.Is(err, etcd.ErrClusterChanged) {
		return false
	}
	for _, passes := range []error{
		etcd.ErrUnknownOutcome, etcd.ErrUnavailable, etcd.ErrNoLeader, etcd.ErrRateLimited,
		etcd.ErrBadReply, etcd.ErrNotEtcd, // some proxy's: it was etcd that granted the lease
	} {
		if errors.Is(err, passes) {
			return true
		}
	}
	return false
}
