package queue

import (
	"context"
	"iter"

	"github.com/quorate/quorate/etcd"
)

// A Queue is a queue of jobs whose values are of type T, as a producer and an
// operator see it; Consumer makes a consumer of it. It holds nothing itself and
// needs no closing. It is safe for use by many goroutines at once, whose calls
// share commits: use one Queue of a name in a process.
type Queue[T any] struct {
	*core
	codec Codec[T]
}

// New describes the queue of that name: any string of up to 512 bytes that is
// not empty. It does no I/O: what is wrong with the name or an option is said
// by the first call. Whoever uses a queue first creates it.
func New[T any](c *etcd.Client, name string, opts ...Option) *Queue[T] {
	var o options
	for _, opt := range opts {
		if opt != nil {
			opt.apply(&o)
		}
	}
	q := &Queue[T]{core: newCore(c, name, o)}
	codec, err := chooseCodec[T](o.codec)
	if q.codec = codec; err != nil && q.bad == nil {
		q.bad = err
	}
	return q
}

// Name is the queue's name.
func (q *Queue[T]) Name() string { return q.made().name }

// Client gives the client that the queue was made with.
func (q *Queue[T]) Client() *etcd.Client { return q.made().c }

// Enqueue adds a job and gives its id. When it returns nil the job is in etcd;
// an error that answers etcd.ErrUnknownOutcome leaves open whether it is, or
// will be; after every other error it is not and will not be.
//
// Errors, for errors.Is: ErrDuplicate, ErrTooLarge (a job is 1 MiB at most),
// ErrFull, ErrDamaged, and those of the client.
func (q *Queue[T]) Enqueue(ctx context.Context, v T, opts ...EnqueueOption) (id string, err error) {
	ids, err := q.made().enqueue(ctx, "enqueue", []T{v}, opts)
	if err != nil {
		return "", err
	}
	return ids[0], nil
}

// EnqueueMany adds jobs, all or none, in one commit, and gives their ids in
// order; of none it adds none. They are at most MaxBatch (half as many if they are
// delayed) and at most 1 MiB together, where each counts for some 160 bytes and the
// length of two keys more than its payload. Several cannot have a Unique key: that
// option would be everybody's. Errors are those of Enqueue.
func (q *Queue[T]) EnqueueMany(ctx context.Context, vs []T, opts ...EnqueueOption) (ids []string, err error) {
	if len(vs) == 0 {
		return nil, nil
	}
	return q.made().enqueue(ctx, "enqueue many", vs, opts)
}

// EnqueueOp makes an operation that adds a job in a transaction of the caller's:
// the job is there if and only if that transaction's branch was carried out (the
// outbox pattern). A consumer brings it into the queue, in commit order. With a
// Unique key the operation does nothing if the key is taken, which its result
// tells (OpResult.Txn.Succeeded). Nothing is sent. The operation is for one
// commit: one that is carried out again, after the job was brought into the
// queue, adds the job again, under the same id.
func (q *Queue[T]) EnqueueOp(v T, opts ...EnqueueOption) (id string, op etcd.Op, err error) {
	q = q.made()
	env, err := q.envelope(v, opts)
	if err != nil {
		return "", etcd.Op{}, q.fail("enqueue op", err)
	}
	return env.ID, q.inboxOp(env), nil
}

// Decode gives the value of a job that List or Get gave.
func (q *Queue[T]) Decode(j Job) (T, error) {
	q = q.made()
	v, err := q.codec.Decode(j.Payload)
	if err != nil {
		return v, &Error{Op: "decode", Name: q.name, Job: j.ID, Err: err}
	}
	return v, nil
}

// Consumer makes a consumer whose presence hangs on the session: it lives until
// Close, the end of the session, the loss of its presence, or an error that does
// not pass by itself, such as a permission that is missing. It returns before
// anything is sent; what goes wrong with etcd is said by Receive.
func (q *Queue[T]) Consumer(s *etcd.Session, opts ...ConsumerOption) (*Consumer[T], error) {
	q = q.made()
	c, err := q.consumer(s, opts)
	if err != nil {
		return nil, q.fail("consumer", err)
	}
	return &Consumer[T]{consumer: c, codec: q.codec}, nil
}

// Stats counts the queue's jobs.
func (q *Queue[T]) Stats(ctx context.Context) (Stats, error) {
	q = q.made()
	s, err := q.stats(ctx)
	return s, q.fail("stats", err)
}

// List gives the jobs in a state, all as of one revision, page by page: Ready in
// the order of their claims, Delayed by due time, Dead by time of death. An
// error is given once and ends the sequence; one of ErrDamaged about a single
// key does not.
func (q *Queue[T]) List(ctx context.Context, state State) iter.Seq2[Job, error] {
	return q.made().list(ctx, state)
}

// Get finds a job by its id. A job that was tried again, or came from
// EnqueueOp, and waits in the queue now is found by reading through it.
func (q *Queue[T]) Get(ctx context.Context, id string) (Job, error) {
	q = q.made()
	j, err := q.get(ctx, id)
	return j, q.failJob("get", id, err)
}

// Cancel removes a job that waits, is delayed or is a dead letter. One that a
// consumer has gives ErrClaimed.
func (q *Queue[T]) Cancel(ctx context.Context, id string) error {
	q = q.made()
	return q.failJob("cancel", id, q.cancel(ctx, id))
}

// Redrive puts dead letters back to the end of the queue, with no attempts
// behind them, no end of their time to live and under their old ids, and tells how
// many. One whose unique key
// is taken meanwhile stays, and the error answers for ErrDuplicate.
func (q *Queue[T]) Redrive(ctx context.Context, which ...Selection) (int, error) {
	q = q.made()
	n, err := q.redrive(ctx, which)
	return n, q.fail("redrive", err)
}

// Purge removes jobs in a state and tells how many; the count of Ready jobs may
// be too large by those that were cancelled. Claimed jobs cannot be purged.
func (q *Queue[T]) Purge(ctx context.Context, state State, which ...Selection) (int, error) {
	q = q.made()
	n, err := q.purge(ctx, state, which)
	return n, q.fail("purge", err)
}

// Pause keeps consumers from claiming until Resume. What they have they finish.
func (q *Queue[T]) Pause(ctx context.Context, reason string) error {
	q = q.made()
	return q.fail("pause", q.pause(ctx, reason))
}

// Resume ends Pause.
func (q *Queue[T]) Resume(ctx context.Context) error {
	q = q.made()
	return q.fail("resume", q.resume(ctx))
}

// Consumers lists the consumers that are alive.
func (q *Queue[T]) Consumers(ctx context.Context) ([]ConsumerInfo, error) {
	q = q.made()
	cs, err := q.consumersAlive(ctx)
	return cs, q.fail("consumers", err)
}

// Reclaim takes all claims away from a consumer, dead or alive, as if it had
// died: its deliveries' contexts end, and its jobs are claimed by others, at one
// attempt more and as suspects; none becomes a dead letter by that. The consumer
// itself goes on, and may claim more. Reclaim tells how many claim records that
// were: none, with no error, where there is no such consumer.
func (q *Queue[T]) Reclaim(ctx context.Context, consumer string) (int, error) {
	q = q.made()
	n, err := q.reclaim(ctx, consumer)
	return n, q.fail("reclaim", err)
}

// Names lists the queues there are, but for those with a raw prefix.
func Names(ctx context.Context, c *etcd.Client) ([]string, error) { return listNames(ctx, c) }
