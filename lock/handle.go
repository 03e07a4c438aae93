package lock

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/line"
)

// A Handle is one acquisition of a lock. It is single-use: once released or
// lost it never comes back. It is safe for use by many goroutines at once.
//
// A nil Handle, and one that no acquisition gave, holds nothing: its calls fail
// with ErrNotHeld, its context has ended, and its guard never holds.
type Handle struct {
	name  string
	entry *line.Entry
	guard etcd.Cmp
	ctx   context.Context
	end   context.CancelCauseFunc // only of one that can be downgraded

	mu    sync.Mutex
	state downgrade
}

// downgrade says how far a downgrade has come.
type downgrade uint8

const (
	notDowngraded downgrade = iota
	downgrading
	downgradeFailed
	downgraded
)

// errNotGiven: whoever calls has a handle from elsewhere, or none.
var errNotGiven = fmt.Errorf("%w: no acquisition gave this handle", ErrNotHeld)

// given reports whether the handle is an acquisition's.
func (h *Handle) given() bool { return h != nil && h.entry != nil }

func newHandle(name string, e *line.Entry) *Handle {
	return &Handle{name: name, entry: e, guard: e.Guard(), ctx: e.Context()}
}

// Context ends when the lock is lost, and when it is released. context.Cause
// then gives the reason: ErrReleased, ErrDeleted, a *BrokenError, or the end of
// the session. After an expiry it ends before anybody else can get the lock.
//
// A lock that was had without a wait is watched once it has been held for 75
// ms; a deletion by hand before that is noticed then.
func (h *Handle) Context() context.Context {
	if !h.given() {
		ctx, end := context.WithCancelCause(context.Background())
		end(errNotGiven)
		return ctx
	}
	return h.ctx
}

// Err gives nil while the lock is held, ErrReleased once it was released, and
// otherwise an error that answers errors.Is for ErrLost and the cause. It looks
// at the clock itself: after a pause of the process it tells of an expiry
// before any timer has fired. It does no I/O.
func (h *Handle) Err() error {
	if !h.given() {
		return failed("hold", "", errNotGiven)
	}
	if err := context.Cause(h.ctx); errors.Is(err, ErrDowngraded) {
		return err
	}
	err := h.entry.Err()
	if err == nil || errors.Is(err, ErrReleased) {
		return err
	}
	return lost("hold", h.name, err)
}

// Token is the lock's fencing token: greater than that of every holder before.
// It is the revision that created the contender's key.
func (h *Handle) Token() int64 {
	if !h.given() {
		return 0
	}
	return h.entry.Token()
}

// Guard holds as long as the lock is held by this handle. In the If of a
// transaction it makes sure that the transaction is not carried out after a
// loss, whether the loss is noticed or not.
func (h *Handle) Guard() etcd.Cmp {
	if !h.given() {
		return etcd.AllOf(etcd.Exists(etcd.Key(Root)), etcd.Missing(etcd.Key(Root))) // never
	}
	return h.guard
}

// Release lets the lock go. Its context ends first. It is idempotent; of
// several callers one does the work and the others wait for it.
//
// It never removes anybody else's lock, however late. If the lock had been lost
// before, the error answers errors.Is for ErrLost and the cause. If ctx or the
// client ended before etcd confirmed, the session goes on removing the key in
// the background, as long as it lives, and Release may be called again.
//
// Of a handle that was downgraded it does nothing: the lock is the new handle's.
func (h *Handle) Release(ctx context.Context) error {
	const op = "release"
	if !h.given() {
		return failed(op, "", errNotGiven)
	}
	if h.downgradeState() == downgraded {
		return nil
	}
	err := h.entry.Release(ctx)
	if err == nil {
		return nil
	}
	if loss := h.entry.Loss(); loss != nil {
		if !errors.Is(err, loss) {
			err = errors.Join(loss, err)
		}
		return lost(op, h.name, err)
	}
	return failed(op, h.name, err)
}

// releaseTimeout bounds the release at the end of Do.
const releaseTimeout = 5 * time.Second

// do runs fn under the lock.
func (h *Handle) do(ctx context.Context, fn func(context.Context, *Handle) error) (err error) {
	run, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(h.entry.Context(), func() { cancel(context.Cause(h.entry.Context())) })
	defer func() { // also if fn panics
		stop()
		cancel(nil)
		rctx, done := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
		defer done()
		// The entry, not the handle: fn may have downgraded that.
		_ = h.entry.Release(rctx)
		if loss := h.entry.Loss(); loss != nil {
			err = errors.Join(err, lost("hold", h.name, loss))
		}
	}()
	if fn == nil {
		return failed("do", h.name, errors.New("no function to run"))
	}
	return fn(run, h)
}
