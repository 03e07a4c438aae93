package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/pace"
)

// A Consumer claims jobs of a queue. It is safe for use by many goroutines at
// once.
type Consumer[T any] struct {
	*consumer
	codec Codec[T]
}

// ID is the consumer's name in the queue, as Job.Consumer tells it.
func (c *Consumer[T]) ID() string { return c.made().id }

// Context ends with the consumer; context.Cause tells why.
func (c *Consumer[T]) Context() context.Context { return c.made().life }

// Err tells why the consumer has ended, or nil.
func (c *Consumer[T]) Err() error { return c.made().over() }

// Receive gives up to n jobs, at least one: those at hand, or else the first
// that come. It sleeps until there are any. What it has claimed when ctx ends
// is given out by the next Receive, or handed back by Close.
//
// ErrFull says that etcd has no space left for a claim; call it again. When the
// consumer has ended, the error answers for the cause.
func (c *Consumer[T]) Receive(ctx context.Context, n int) ([]*Delivery[T], error) {
	c = c.made()
	for {
		ds, err := c.receive(ctx, n)
		if err != nil {
			return nil, c.q.fail("receive", err)
		}
		out := make([]*Delivery[T], 0, len(ds))
		for _, d := range ds {
			v, err := c.codec.Decode(d.env.payload)
			if err != nil {
				c.burn(d, byUnreadable, fmt.Sprint("the value cannot be decoded: ", err))
				continue
			}
			j := d.env.job(Claimed, d.key, d.mod)
			j.Attempt, j.Consumer, j.ClaimedSince, j.Suspect = d.attempt(), c.id, d.claim.taken, d.claim.rec.Crashes > 0
			out = append(out, &Delivery[T]{Value: v, Job: j, d: d})
		}
		if len(out) > 0 {
			return out, nil
		}
	}
}

// Close hands the jobs back that Receive has not given out, at no attempt, and
// ends the consumer's presence. Settle what was given out before, or Return it:
// the rest is taken over by others at one attempt more, as if the consumer had
// died. Close is idempotent, and ends the consumer also if ctx has ended before. If
// ctx ends before all is handed back, others take that over, too; and a presence
// that could not be removed is left to the session, which removes it as soon as it
// can.
func (c *Consumer[T]) Close(ctx context.Context) error {
	if c = c.made(); c.unmade() {
		return c.q.fail("close", errUnmadeConsumer)
	}
	return c.q.fail("close", c.close(ctx))
}

// consumer is a Consumer without the type of the values.
type consumer struct {
	q       *core
	s       *etcd.Session
	id      string
	opts    consumerOptions
	suspect *slot

	life context.Context // ends with the consumer, and with the session
	end  context.CancelCauseFunc
	wg   sync.WaitGroup

	acks  combiner[*delivery]
	moves combiner[*move]

	giving  chan struct{} // a token: one hand-back at a time
	poked   chan struct{} // wakes the pump
	closing chan struct{} // a token: one Close at a time
	closed  bool          // guarded by closing

	mu        sync.Mutex
	stopping  bool  // nothing is claimed any more
	created   int64 // create revision of the presence, 0 before
	left      bool  // the presence was taken away
	doubled   bool  // an attempt to put it had no answer, and may still come
	buf       []*delivery
	asked     int   // how many more jobs those in Receive want
	resting   bool  // nothing is claimed in advance until somebody is in Receive
	failure   error // what went wrong last, for those in Receive
	failures  int   // how often something has
	view      view
	claims    map[int64]*claim
	records   map[int64]etcd.KV // claim records of ours that the watch has shown
	ownRev    int64             // up to which revision it has
	ended     map[int64]bool    // those we removed, until the watch shows it
	owed      []*delivery       // not begun, to be handed back; it failed before
	handing   int               // hand-overs under way
	finished  []*claim          // settled; their records are to be removed
	lastN     int64
	claiming  int64                // number of the claim under way, 0 for none
	begun     time.Time            // when the claim under way was begun
	lastClaim time.Time            // when the last claim was made
	lastTook  time.Duration        // how long that took
	lastGot   int                  // and how many jobs it got
	trip      time.Duration        // how long a commit takes, without outliers
	limit     int64                // how many jobs a claim may have, after one that was too large
	retries   pace.Retries         // the pump's
	dooms     []doom               // to be made dead letters by us
	minute    int64                // of the last chores
	due       dueSearch            // under way; the shared tasks' own
	dueNext   bool                 // what is due comes before the inbox, which was last
	hole      bool                 // the last claim from the log found nothing; the pump's
	notYet    map[string]time.Time // tasks that have failed, and until when they rest
	changed   chan struct{}        // closed at the next change
}

func (q *core) consumer(s *etcd.Session, opts []ConsumerOption) (*consumer, error) {
	o, err := consumerSettings(opts)
	switch {
	case q.bad != nil:
		return nil, q.bad
	case s == nil || s.Client() == nil:
		return nil, errors.New("no session")
	case err != nil:
		return nil, err
	}
	if err := s.Err(); err != nil {
		return nil, err
	}
	c := &consumer{
		q: q, s: s, id: nonce(6), opts: o,
		giving: make(chan struct{}, 1), closing: make(chan struct{}, 1), poked: make(chan struct{}, 1),
		claims: make(map[int64]*claim), records: make(map[int64]etcd.KV), ended: make(map[int64]bool),
		limit: maxClaim, notYet: make(map[string]time.Time), changed: make(chan struct{}),
	}
	c.suspect = joinSlot(s.Client(), c)
	c.view.reset()
	c.acks.take, c.acks.fly, c.acks.dropped = takeAcks, c.flyAcks, c.droppedAcks
	c.moves.take, c.moves.fly = takeMoves, c.flyMoves
	c.life, c.end = context.WithCancelCause(s.Context())
	c.wg.Go(c.run)
	return c, nil
}

// over tells why the consumer has ended, or nil.
func (c *consumer) over() error {
	if err := context.Cause(c.life); err != nil {
		return err
	}
	return c.s.Err()
}

// touch wakes all who wait for a change. The caller holds the mutex.
func (c *consumer) touch() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// await waits for a change after the one that changed was taken at, for ctx, or
// until the time is come, if it is not zero.
func await(ctx context.Context, changed <-chan struct{}, until time.Time) {
	if until.IsZero() {
		select {
		case <-changed:
		case <-ctx.Done():
		}
		return
	}
	t := time.NewTimer(time.Until(until))
	defer t.Stop()
	select {
	case <-changed:
	case <-ctx.Done():
	case <-t.C:
	}
}

// receive gives out what is at hand, or waits.
func (c *consumer) receive(ctx context.Context, n int) ([]*delivery, error) {
	if n < 1 {
		return nil, fmt.Errorf("%d jobs were asked for", n)
	}
	asked := min(n, maxAsked)
	c.mu.Lock()
	before := c.failures // what went wrong before is of no interest
	c.mu.Unlock()
	for {
		if err := pace.Over(ctx); err != nil {
			return nil, err
		}
		if err := c.over(); err != nil {
			return nil, err
		}
		c.mu.Lock()
		if c.stopping {
			c.mu.Unlock()
			return nil, ErrConsumerClosed
		}
		ds, expired := c.giveOut(n)
		var err error
		if c.failures != before {
			err = c.failure
		}
		if len(ds) == 0 && err == nil {
			c.asked += asked
			c.resting = false
			c.touch()
		}
		changed := c.changed
		c.mu.Unlock()
		for _, d := range expired {
			c.burn(d, byExpired, ErrExpired.Error())
		}
		switch {
		case len(ds) > 0:
			return ds, nil
		case err != nil:
			return nil, err
		}
		both, cancel := c.bind(ctx)
		c.awaitBuffer(both, changed, before)
		cancel()
		c.mu.Lock()
		c.asked -= asked
		c.mu.Unlock()
	}
}

// awaitBuffer waits until there is something for a Receive that began when so much
// had gone wrong.
func (c *consumer) awaitBuffer(ctx context.Context, changed <-chan struct{}, before int) {
	for ctx.Err() == nil {
		await(ctx, changed, time.Time{})
		c.mu.Lock()
		done := len(c.buf) > 0 || c.failures != before || c.stopping
		changed = c.changed
		c.mu.Unlock()
		if done {
			return
		}
	}
}

// bind gives a context that ends with ctx or with the consumer.
func (c *consumer) bind(ctx context.Context) (context.Context, context.CancelFunc) {
	both, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(c.life, func() { cancel(context.Cause(c.life)) })
	return both, func() {
		stop()
		cancel(nil)
	}
}

// giveOut takes up to n jobs from the buffer, and those whose time to live is
// over. The caller holds the mutex.
func (c *consumer) giveOut(n int) (ds, expired []*delivery) {
	now := time.Now().UnixMilli()
	for len(c.buf) > 0 && len(ds) < n {
		d := c.buf[0]
		c.buf[0] = nil
		c.buf = c.buf[1:]
		d.at, d.since = started, time.Now()
		d.claim.out = append(d.claim.out, d)
		if d.env.Expires != 0 && d.env.Expires <= now {
			expired = append(expired, d)
		} else {
			ds = append(ds, d)
		}
	}
	if len(c.buf) == 0 {
		c.buf = nil
	}
	if len(ds)+len(expired) > 0 && c.opts.prefetch > 0 {
		c.touch()
	}
	return ds, expired
}
