package queue

import (
	"context"
	"errors"
	"time"

	"github.com/quorate/quorate/etcd"
)

// A Delivery is a job that a consumer has claimed. It is to be settled once: by
// Ack, AckWith, Nack, Dead or Return. It is safe for concurrent use.
//
// One that is made by hand, in the test of a handler for instance, has a value and
// a job and no claim: settling it is an error, its guard never holds, and its
// context does not end.
type Delivery[T any] struct {
	// Value is the job's value.
	Value T
	// Job tells all else of it: ID, Attempt (of this delivery, from 1),
	// EnqueuedAt, Headers, Priority, LastError ...
	Job
	d *delivery
}

// Token is a number that is greater with every later claim of the job, for
// whoever protects something else than etcd.
func (d *Delivery[T]) Token() int64 {
	if d.byHand() {
		return 0
	}
	return d.d.claim.token
}

// Guard holds as long as the claim does and the job is not settled. It goes into
// a transaction of the caller's. After Return it is not to be used any more.
func (d *Delivery[T]) Guard() etcd.Cmp {
	if d.byHand() {
		return etcd.AllOf(etcd.Exists(etcd.Key(Root)), etcd.Missing(etcd.Key(Root))) // never
	}
	return d.d.guard()
}

// Context ends when the claim is lost, or when it is settled together with all
// that were claimed with it; context.Cause tells why: ErrClaimLost, ErrClaimAge,
// ErrSettled, ErrConsumerGone, ErrConsumerClosed, or the end of the session.
func (d *Delivery[T]) Context() context.Context {
	if d.byHand() {
		return context.Background()
	}
	return d.d.claim.ctx
}

// Err tells why the claim is over, or nil. It looks at the session's clock, so
// it is right even where a timer is late.
func (d *Delivery[T]) Err() error {
	if d.byHand() {
		return nil
	}
	return d.d.lost()
}

// Ack ends the job: it is done. When it returns nil, the job is never delivered
// again. ErrClaimLost means that others have it, or had it, and nothing was
// done; after an error that answers etcd.ErrUnknownOutcome, call it again. It
// is idempotent. Acks that are made while others are under way share a commit.
func (d *Delivery[T]) Ack(ctx context.Context) error {
	return d.settle("ack", func(one *delivery) error { return one.c.ack(ctx, one) })
}

// AckWith ends the job in one commit with a transaction of the caller's: if the
// claim still holds and t.If holds, t.Then is carried out and the job is done;
// if only t.If does not hold, t.Else is carried out and the job stays claimed,
// which the result's Succeeded tells. So what Then does is done exactly once,
// however often the job is delivered. ErrClaimLost means that nothing was done.
//
// A branch of t can have 120 operations. The results are those of t's operations. They are missing where a reply was
// lost and the outcome was found out otherwise; t.Else may then have been
// carried out twice. After an error that answers etcd.ErrUnknownOutcome, call it
// again with the same transaction.
func (d *Delivery[T]) AckWith(ctx context.Context, t etcd.Txn) (res *etcd.TxnResult, err error) {
	err = d.settle("ack with", func(one *delivery) (err error) {
		res, err = one.c.ackWith(ctx, one, t)
		return err
	})
	return res, err
}

// Nack gives the job back to be tried again after delay, by this process's clock;
// the attempt counts. It is idempotent. ErrClaimLost means that nothing was done;
// after ErrFull, and after an error that answers etcd.ErrUnknownOutcome, the claim
// stays as it is: call it again.
func (d *Delivery[T]) Nack(ctx context.Context, delay time.Duration, opts ...SettleOption) error {
	return d.settle("nack", func(one *delivery) error { return one.c.nack(ctx, one, delay, opts) })
}

// Dead makes the job a dead letter, whose unique key is free again unless it has a
// window. Of the reason, as of Because, 2 KiB are kept. Errors are those of Nack.
func (d *Delivery[T]) Dead(ctx context.Context, reason string, opts ...SettleOption) error {
	return d.settle("dead", func(one *delivery) error { return one.c.dead(ctx, one, reason, byHandler, opts) })
}

// Return gives a job back that was not begun: at once, and the attempt does not
// count. One that is older than MaxClaimAge cannot be returned. Errors are those of Nack.
func (d *Delivery[T]) Return(ctx context.Context) error {
	return d.settle("return", func(one *delivery) error { return one.c.giveBack(ctx, []*delivery{one}) })
}

// Ack ends jobs, as Delivery.Ack does, together: where they were claimed
// together, in one commit. The error joins those of single jobs; the others are
// done.
func (c *Consumer[T]) Ack(ctx context.Context, ds ...*Delivery[T]) error {
	c = c.made()
	own, err := c.own(ds)
	if err != nil {
		return c.q.fail("ack", err)
	}
	errs := c.ackAll(ctx, own)
	for i, err := range errs {
		errs[i] = c.q.failJob("ack", ds[i].ID, err)
	}
	return errors.Join(errs...)
}

// Return gives jobs back that were not begun, as Delivery.Return does: those of
// one claim in one commit.
func (c *Consumer[T]) Return(ctx context.Context, ds ...*Delivery[T]) error {
	c = c.made()
	own, err := c.own(ds)
	if err == nil {
		err = c.giveBack(ctx, own)
	}
	return c.q.fail("return", err)
}

// own gives the deliveries without the type of their values.
func (c *Consumer[T]) own(ds []*Delivery[T]) ([]*delivery, error) {
	if c.unmade() {
		return nil, errUnmadeConsumer
	}
	out := make([]*delivery, len(ds))
	for i, d := range ds {
		switch {
		case d.byHand():
			return nil, errNotReceived
		case d.d.c != c.consumer:
			return nil, errors.New("a delivery is another consumer's")
		}
		out[i] = d.d
	}
	return out, nil
}

// errNotReceived: the delivery was made by hand.
var errNotReceived = errors.New("the delivery was not received from a Consumer")

// byHand reports whether no Consumer gave d.
func (d *Delivery[T]) byHand() bool { return d == nil || d.d == nil }

// settle settles d as f does.
func (d *Delivery[T]) settle(op string, f func(*delivery) error) error {
	if d.byHand() {
		e := &Error{Op: op, Err: errNotReceived}
		if d != nil {
			e.Job = d.ID
		}
		return e
	}
	return d.d.c.q.failJob(op, d.ID, f(d.d))
}

// A SettleOption adds to Nack or Dead.
type SettleOption interface{ applySettle(*settleOptions) }

type settleOptions struct {
	cause error
	free  bool
}

type settleOption func(*settleOptions)

func (f settleOption) applySettle(o *settleOptions) { f(o) }

// Because keeps the text of err with the job as its last error, up to 2 KiB of it.
func Because(err error) SettleOption { return settleOption(func(o *settleOptions) { o.cause = err }) }

// WithoutAttempt makes Nack not count the attempt, for a job that is put off
// and has not failed.
func WithoutAttempt() SettleOption { return settleOption(func(o *settleOptions) { o.free = true }) }

// A claim is a claim record that this consumer holds.
type claim struct {
	n     int64
	key   string
	token int64 // create revision of the record
	taken time.Time
	ctx   context.Context
	end   context.CancelCauseFunc

	// The consumer's mutex guards these.
	rec     record // as it stands; only its runs change, the rest is read without
	mod     int64  // since when
	jobs    []*delivery
	left    int         // jobs not settled
	out     []*delivery // given out, in that order; those in front are not settled
	slot    bool        // it has the slot of suspects
	closing bool        // a deletion of the record by us is under way, or done
	over    bool        // gone, by us or by others
	gone    bool        // the watch has shown that the record is gone
}

// delivery is a claimed job without the type of its value.
type delivery struct {
	c     *consumer
	claim *claim
	env   *envelope
	pos   int64
	key   string
	mod   int64 // revision of the job's key

	// The consumer's mutex guards these.
	at     progress
	asked  progress  // what it is to be settled as, by calls under way or of open outcome
	busy   int       // how many of these there are
	unsure bool      // a reply to one of them was lost
	since  time.Time // when Receive gave it out
}

func (d *delivery) attempt() int { return d.env.Attempts + d.claim.rec.Crashes + 1 }

func (d *delivery) guard() etcd.Cmp { return etcd.AllOf(d.claimed(), d.present()) }

// claimed holds as long as the claim record is the one that was written.
func (d *delivery) claimed() etcd.Cmp { return d.claim.held() }

// present holds as long as the job stands where it was claimed.
func (d *delivery) present() etcd.Cmp {
	return etcd.IfModRevision(etcd.Key(d.key), etcd.Equal, d.mod)
}

func (cl *claim) held() etcd.Cmp {
	return etcd.IfCreateRevision(etcd.Key(cl.key), etcd.Equal, cl.token)
}

// lost tells why the claim is over.
func (d *delivery) lost() error {
	if err := context.Cause(d.claim.ctx); err != nil {
		return err
	}
	if err := d.c.s.Err(); err != nil {
		return errors.Join(ErrClaimLost, err)
	}
	return nil
}
