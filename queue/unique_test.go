package queue_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/queue"
)

func TestAUniqueKeyIsTakenUntilTheJobIsDone(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, n := w.queue(), w.node()
		first, err := q.Enqueue(w.Context(), "a", queue.Unique("order/17"))
		require.NoError(w, err)
		taken := func() {
			w.Helper()
			_, err := q.Enqueue(w.Context(), "b", queue.Unique("order/17"))
			var dup *queue.DuplicateError
			require.ErrorIs(w, err, queue.ErrDuplicate)
			require.ErrorAs(w, err, &dup)
			require.Equal(w, queue.DuplicateError{Key: "order/17", Owner: first}, *dup)
		}
		taken()
		d := n.takeOne()
		require.Equal(w, "order/17", d.Unique)
		taken()
		require.NoError(w, d.Nack(w.Context(), time.Minute))
		taken()
		d = n.takeOne()
		require.NoError(w, d.Ack(w.Context()))
		_, err = q.Enqueue(w.Context(), "c", queue.Unique("order/17"))
		require.NoError(w, err)
		require.NoError(w, n.takeOne().Ack(w.Context()))
		w.empty()
	})
}

func TestADeadLetterDoesNotBlockItsUniqueSuccessor(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, n := w.queue(), w.node()
		id, err := q.Enqueue(w.Context(), "a", queue.Unique("k"))
		require.NoError(w, err)
		require.NoError(w, n.takeOne().Dead(w.Context(), "no use"))
		second, err := q.Enqueue(w.Context(), "b", queue.Unique("k"))
		require.NoError(w, err)

		redriven, err := q.Redrive(w.Context())
		require.ErrorIs(w, err, queue.ErrDuplicate, "onto an occupied key")
		require.ErrorContains(w, err, second)
		require.Zero(w, redriven)
		require.NoError(w, n.takeOne().Ack(w.Context()))
		redriven, err = q.Redrive(w.Context())
		require.NoError(w, err)
		require.Equal(w, 1, redriven)
		_, err = q.Enqueue(w.Context(), "c", queue.Unique("k"))
		require.ErrorIs(w, err, queue.ErrDuplicate, "it has its key again")
		d := n.takeOne()
		require.Equal(w, id, d.ID)
		require.NoError(w, d.Ack(w.Context()))
		w.empty()
	})
}

func TestAUniqueWindowBlocksForItsTimeDoneOrNot(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, n := w.queue(), w.node()
		enqueue := func() error {
			_, err := q.Enqueue(w.Context(), "a", queue.UniqueFor("k", 10*time.Minute))
			return err
		}
		require.NoError(w, enqueue())
		require.NoError(w, n.takeOne().Ack(w.Context()))
		require.ErrorIs(w, enqueue(), queue.ErrDuplicate)
		time.Sleep(9 * time.Minute)
		require.ErrorIs(w, enqueue(), queue.ErrDuplicate)
		time.Sleep(time.Minute)
		require.NoError(w, enqueue(), "also if nobody has cleared up yet")
		require.NoError(w, n.takeOne().Ack(w.Context()))
		time.Sleep(12 * time.Minute)
		w.empty()
	})
}

// At once, also while there is nobody who clears up.
func TestAnOutboxJobTakesAUniqueKeyWhoseWindowIsOver(t *testing.T) {
	inBubbles(t, func(w *world) {
		q := w.queue()
		first, err := q.Enqueue(w.Context(), "a", queue.UniqueFor("k", time.Minute))
		require.NoError(w, err)
		outbox := func(opts ...queue.EnqueueOption) (id string, added bool) {
			w.Helper()
			id, op, err := q.EnqueueOp("b", opts...)
			require.NoError(w, err)
			res, err := q.Client().Txn(w.Context(), etcd.Txn{Then: []etcd.Op{op}})
			require.NoError(w, err)
			return id, res.Results[0].Txn.Succeeded
		}
		_, added := outbox(queue.UniqueFor("k", time.Minute))
		require.False(w, added)
		_, added = outbox(queue.Unique("k"))
		require.False(w, added, "whatever the sort of the second")
		_, err = q.Enqueue(w.Context(), "c", queue.Unique("k"))
		var dup *queue.DuplicateError
		require.ErrorAs(w, err, &dup)
		require.Equal(w, first, dup.Owner)

		time.Sleep(time.Minute)
		second, added := outbox(queue.UniqueFor("k", time.Minute))
		require.True(w, added)
		_, err = q.Enqueue(w.Context(), "c", queue.UniqueFor("k", time.Minute))
		require.ErrorAs(w, err, &dup)
		require.Equal(w, second, dup.Owner)
		time.Sleep(time.Minute)
		_, added = outbox(queue.Unique("k"))
		require.True(w, added)
		_, added = outbox(queue.UniqueFor("k", time.Minute))
		require.False(w, added, "until it is done")
		n := w.node()
		w.ackAll(n.take(3))
		n.none(2 * time.Minute) // which clears up
		w.empty()
	})
}

func TestSomebodyElsesBytesAmongTheWindowsStayAndStopNobody(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, n := w.queue(), w.node()
		_, err := q.Enqueue(w.Context(), "a", queue.UniqueFor("k", time.Minute))
		require.NoError(w, err)
		for i := range 40 {
			w.srv.Put(fmt.Sprintf("%swindow/%016x", data, i), []byte("?"))
		}
		require.NoError(w, n.takeOne().Ack(w.Context()))
		n.none(5 * time.Minute)
		require.Len(w, w.keys(), 40)
	})
}

func TestEqualUniqueKeysThatMeetInABatchAreSettledFirstComeFirst(t *testing.T) {
	inBubbles(t, func(w *world) {
		q := w.queue()
		w.push(q, "warm up")
		const many = 500
		enqueue := func() (added int) {
			w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, Delay: time.Millisecond}) // so that they meet
			errs := make(chan error, many)
			for range many {
				go func() {
					_, err := q.Enqueue(w.Context(), "x", queue.Unique("k"))
					errs <- err
				}()
			}
			owners := map[string]bool{}
			for range many {
				err := <-errs
				if err == nil {
					added++
					continue
				}
				var dup *queue.DuplicateError
				require.ErrorAs(w, err, &dup)
				owners[dup.Owner] = true
			}
			require.Len(w, owners, 1)
			return added
		}
		require.LessOrEqual(w, w.txns(func() { require.Equal(w, 1, enqueue()) }), 30)
		require.LessOrEqual(w, w.txns(func() { require.Zero(w, enqueue()) }), 30, "as few when it is taken already")
		require.EqualValues(w, 2, w.stats(q).Ready)
	})
}

// An ack frees the key, its reply is lost, and before it is repeated somebody
// else takes the key; a neighbour keeps the claim alive.
func TestAnAckThatIsRepeatedDoesNotFreeTheUniqueKeyOfASuccessor(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, n := w.queue(), w.node()
		_, err := q.Enqueue(w.Context(), "a", queue.Unique("k"))
		require.NoError(w, err)
		w.push(q, "neighbour")
		w.settle() // it knows of both, and claims them together
		ds := n.take(2)
		cut := make(chan struct{})
		in := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, HoldReply: cut, LoseReply: true})
		got := make(chan error)
		go func() { got <- ds[0].Ack(w.Context()) }()
		require.NoError(w, in.Await(w.Context(), 1))
		w.settle()
		successor, err := q.Enqueue(w.Context(), "b", queue.Unique("k"))
		require.NoError(w, err)
		close(cut)
		require.NoError(w, <-got)
		_, err = q.Enqueue(w.Context(), "c", queue.Unique("k"))
		var dup *queue.DuplicateError
		require.ErrorAs(w, err, &dup)
		require.Equal(w, successor, dup.Owner)
	})
}

func TestAWindowIsNeverShorterThanItWasAskedFor(t *testing.T) {
	inBubble(t, func(w *world) {
		q := w.queue()
		time.Sleep(time.Millisecond / 2)
		for range 3 {
			start := time.Now()
			_, err := q.Enqueue(w.Context(), "a", queue.UniqueFor("k", time.Millisecond/4))
			require.NoError(w, err)
			time.Sleep(time.Until(start.Add(time.Millisecond/4 - 1)))
			_, err = q.Enqueue(w.Context(), "b", queue.UniqueFor("k", time.Millisecond/4))
			require.ErrorIs(w, err, queue.ErrDuplicate)
			time.Sleep(2 * time.Millisecond)
		}
		_, err := q.Enqueue(w.Context(), "c", queue.UniqueFor("k", 0))
		require.ErrorContains(w, err, "the window 0s of the unique key is not between 0 and")
	})
}
