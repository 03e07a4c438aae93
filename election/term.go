package election

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/line"
)

// A Term is one time of leadership. It is single-use: once resigned, handed over
// or lost it never comes back. It is safe for use by many goroutines at once.
//
// A nil Term, and one that no campaign gave, is over: its calls fail, its context
// has ended, and its guard never holds.
type Term struct {
	name   string
	line   *line.Line
	raw    bool
	entry  *line.Entry
	guard  etcd.Cmp
	health *monitor // nil without a health check

	unwatched chan struct{} // with a health check: closed when that is over
	leaving   chan struct{} // closed when it is being given up
	leave     sync.Once

	mu    sync.Mutex
	value []byte
}

// errNotGiven: whoever calls has a term from elsewhere, or none.
var errNotGiven = errors.New("no campaign gave this term")

// given reports whether the term is a campaign's.
func (t *Term) given() bool { return t != nil && t.entry != nil }

func newTerm(e *Election, entry *line.Entry, value []byte) *Term {
	return &Term{
		name: e.show(), line: e.line, raw: e.o.useRaw,
		entry: entry, guard: entry.Guard(), value: slices.Clone(value),
		leaving: make(chan struct{}),
	}
}

// Context ends when the term does. context.Cause then gives the reason:
// ErrResigned, ErrTransferred, ErrDeposed, ErrDeleted, ErrUnhealthy, or the end
// of the session. After an expiry it ends before anybody else can lead.
//
// A term that was had without a wait is watched once it has lasted for 75 ms; a
// deletion by hand before that is noticed then.
func (t *Term) Context() context.Context {
	if !t.given() {
		ctx, end := context.WithCancelCause(context.Background())
		end(errNotGiven)
		return ctx
	}
	return t.entry.Context()
}

// Err gives nil while the term lasts, ErrResigned or ErrTransferred once it was
// given up, and otherwise an error that answers errors.Is for ErrLost and the
// cause. It looks at the clock itself: after a pause of the process it tells of
// an expiry before any timer has fired. It does no I/O.
func (t *Term) Err() error {
	if !t.given() {
		return failed("lead", "", errNotGiven)
	}
	err := t.entry.Err()
	if err == nil || errors.Is(err, ErrResigned) || errors.Is(err, ErrTransferred) {
		return err
	}
	return lost("lead", t.name, err)
}

// Token is the term's fencing token: greater than that of every term before. It
// is a revision at which this candidate led: that of its key's creation, of its
// predecessor's end, or of the transfer. Below a raw prefix it is the revision
// that created the candidate's key, as native clients have it.
func (t *Term) Token() int64 {
	if !t.given() {
		return 0
	}
	return t.entry.Token()
}

// Deadline is when the term ends unless the session's lease is renewed before,
// which happens by itself.
func (t *Term) Deadline() time.Time {
	if !t.given() {
		return time.Time{}
	}
	return t.line.Session().Deadline()
}

// Guard holds as long as the term does. In the If of a transaction it makes sure
// that the transaction is not carried out once another leads, whether that has
// been noticed here or not.
func (t *Term) Guard() etcd.Cmp {
	if !t.given() {
		return etcd.AllOf(etcd.Exists(etcd.Key(Root)), etcd.Missing(etcd.Key(Root))) // never
	}
	return t.guard
}

// Value is what was last proclaimed for certain, at first the value of the
// campaign.
func (t *Term) Value() []byte {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.value)
}

// Proclaim changes the leader's value, which observers are told of. It is
// carried out only while the term lasts. If ctx ended or etcd failed before the
// outcome was known, the value may have been proclaimed, or be still before the
// next Proclaim; it never overwrites that one.
func (t *Term) Proclaim(ctx context.Context, value []byte) error {
	const op = "proclaim"
	if !t.given() {
		return failed(op, "", errNotGiven)
	}
	if err := checkValue(value); err != nil {
		return failed(op, t.name, err)
	}
	if err := t.entry.Err(); err != nil {
		return t.over(op, err)
	}
	value = slices.Clone(value)
	err := t.entry.Proclaim(ctx, value)
	switch {
	case err == nil:
		t.mu.Lock()
		t.value = value
		t.mu.Unlock()
		return nil
	case t.entry.Err() != nil && errors.Is(err, t.entry.Err()):
		return t.over(op, err)
	}
	return failed(op, t.name, err)
}

// over is the error of an operation on a term that is over.
func (t *Term) over(op string, err error) error {
	if errors.Is(err, ErrResigned) || errors.Is(err, ErrTransferred) {
		return failed(op, t.name, err)
	}
	return lost(op, t.name, err)
}

// Resign ends the term. Its context ends first, then the next in line leads. It
// is idempotent; of several callers one does the work and the others wait for
// it. After a Transfer it does nothing.
//
// It never ends anybody else's term, however late. If the term had been lost
// before, the error answers errors.Is for ErrLost and the cause. If ctx or the
// client ended before etcd confirmed, the session goes on removing the key in
// the background, as long as it lives, and Resign may be called again.
func (t *Term) Resign(ctx context.Context) error {
	const op = "resign"
	if !t.given() {
		return failed(op, "", errNotGiven)
	}
	t.leave.Do(func() { close(t.leaving) })
	err := t.entry.Release(ctx)
	if t.health != nil {
		err = errors.Join(err, t.health.wait(ctx, t.unwatched))
	}
	if err == nil {
		return nil
	}
	if loss := t.entry.Loss(); loss != nil {
		if !errors.Is(err, loss) {
			err = errors.Join(loss, err)
		}
		return lost(op, t.name, err)
	}
	return failed(op, t.name, err)
}
