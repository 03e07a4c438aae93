package queue_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/queue"
)

const txnPath = "/v3/kv/txn"

// enqueues matches transactions that move the tail.
func enqueues(r *etcdtest.Request) bool { return r.Puts(data + "c/tail") }

func TestALostReplyToAnEnqueueIsResolvedHoweverManyOthersCameSince(t *testing.T) {
	for _, others := range []int{0, 3, 40} {
		for _, applied := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d others, applied %v", others, applied), func(t *testing.T) {
				inBubbles(t, func(w *world) {
					q := w.queue()
					w.push(q, "warm up")
					release := make(chan struct{})
					in := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, Match: enqueues,
						LoseRequest: !applied, LoseReply: applied, Hold: map[bool]chan struct{}{false: release}[applied], HoldReply: map[bool]chan struct{}{true: release}[applied]})
					got := make(chan error)
					go func() {
						_, err := q.Enqueue(w.Context(), "x", queue.Unique("k"))
						got <- err
					}()
					require.NoError(w, in.Await(w.Context(), 1))
					w.settle()
					for i := range others {
						w.push(w.queue(), fmt.Sprint("other ", i))
					}
					close(release)
					require.NoError(w, <-got)
					n := 0
					for _, j := range w.list(q, queue.Ready) {
						n += map[string]int{`"x"`: 1}[string(j.Payload)]
					}
					require.Equal(w, 1, n, "exactly one")
					w.audit()
				})
			})
		}
	}
}

func TestALostReplyThatIsCompactedIsAnUnknownOutcomeAndSaysSo(t *testing.T) {
	inBubbles(t, func(w *world) {
		q := w.queue()
		w.push(q, "warm up")
		release := make(chan struct{})
		in := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, Match: enqueues, HoldReply: release, LoseReply: true})
		got := make(chan error)
		go func() {
			_, err := q.Enqueue(w.Context(), "x")
			got <- err
		}()
		require.NoError(w, in.Await(w.Context(), 1))
		for i := range 20 {
			w.push(w.queue(), fmt.Sprint("other ", i))
		}
		require.NoError(w, w.srv.Compact(w.srv.Revision()))
		close(release)
		err := <-got
		require.ErrorIs(w, err, etcd.ErrUnknownOutcome)
		require.ErrorIs(w, err, etcd.ErrCompacted)
	})
}

// A batch that was left without an answer is refused on its repetition, because
// a unique key is taken meanwhile, while the tail has not moved: what was sent
// first could still come. It must be fenced off before anything else is sent.
func TestABatchInDoubtIsFencedOffBeforeAnotherIsComposed(t *testing.T) {
	inBubbles(t, func(w *world) {
		q := w.queue()
		w.push(q, "warm up")
		late := make(chan struct{})
		in := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, Match: enqueues, Late: late})
		got := make(chan error, 2)
		enqueue := func(v string, opts ...queue.EnqueueOption) {
			_, err := q.Enqueue(w.Context(), v, opts...)
			got <- err
		}
		go enqueue("unique", queue.Unique("k"))
		require.NoError(w, in.Await(w.Context(), 1))
		w.srv.Put(data+"unique/k/ffffffffffffffff", []byte("somebody")) // without the tail, as an outbox does
		time.Sleep(10 * time.Second)                                    // an attempt gives up, and is repeated
		require.ErrorIs(w, <-got, queue.ErrDuplicate)
		w.srv.Delete(data + "unique/k/ffffffffffffffff") // what the late one compares holds again
		close(late)
		time.Sleep(time.Minute)
		require.Empty(w, w.list(q, queue.Ready)[1:], "the late one must not come")
		w.audit()
	})
}

func TestAnEnqueueThatIsGivenUpIsAnUnknownOutcomeIfItWasSent(t *testing.T) {
	inBubble(t, func(w *world) {
		q := w.queue()
		w.push(q, "warm up")
		late := make(chan struct{})
		in := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, Match: enqueues, Late: late})
		ctx, cancel := context.WithCancel(w.Context())
		got := make(chan error)
		go func() {
			_, err := q.Enqueue(ctx, "x")
			got <- err
		}()
		require.NoError(w, in.Await(w.Context(), 1))
		cancel()
		err := <-got
		require.ErrorIs(w, err, context.Canceled)
		require.ErrorIs(w, err, etcd.ErrUnknownOutcome)
		close(late)
		time.Sleep(time.Second)
		w.push(q, "next") // finds the tail moved, and goes on behind
		require.EqualValues(w, 3, w.stats(q).Ready)

		_, err = q.Enqueue(ctx, "y")
		require.ErrorIs(w, err, context.Canceled)
		require.NotErrorIs(w, err, etcd.ErrUnknownOutcome, "it was never sent")
		w.audit()
	})
}

func TestAnEnqueueWhoseDriverGivesUpIsCarriedOnByTheOthers(t *testing.T) {
	inBubbles(t, func(w *world) {
		q := w.queue()
		w.push(q, "warm up")
		hold := make(chan struct{})
		in := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, Match: enqueues, HoldReply: hold})
		ctx, cancel := context.WithCancel(w.Context())
		first, second := make(chan error, 1), make(chan error, 1)
		go func() {
			_, err := q.Enqueue(ctx, "first")
			first <- err
		}()
		require.NoError(w, in.Await(w.Context(), 1))
		go func() {
			_, err := q.Enqueue(w.Context(), "second")
			second <- err
		}()
		w.settle()
		cancel()
		require.ErrorIs(w, <-first, context.Canceled)
		require.NoError(w, <-second)
		close(hold)
		require.EqualValues(w, 3, w.stats(q).Ready)
		w.audit()
	})
}

func TestAClaimThatArrivesAfterItWasGivenUpIsAdoptedAndHandedBack(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, n := w.queue(), w.node()
		late := make(chan struct{})
		in := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, Late: late, Match: func(r *etcdtest.Request) bool {
			return r.Puts(data + "claim/" + n.ID() + "/00000001")
		}})
		w.push(q, "x")
		require.NoError(w, q.Pause(w.Context(), "so that the repetition is refused"))
		require.NoError(w, q.Resume(w.Context()))
		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		_, err := n.Receive(ctx, 1)
		require.ErrorIs(w, err, context.DeadlineExceeded)
		require.NoError(w, in.Await(w.Context(), 1))
		require.NoError(w, q.Pause(w.Context(), "again"))
		time.Sleep(20 * time.Second)
		require.NoError(w, q.Resume(w.Context()))
		close(late)
		d := n.takeOne()
		require.Equal(w, "x", d.Value)
		require.Equal(w, 1, d.Attempt, "it was never delivered")
		require.NoError(w, d.Ack(w.Context()))
		time.Sleep(time.Minute)
		w.audit()
		w.empty()
	})
}

func TestTwoProcessesThatRedriveAndCancelAndPurgeAtOnceDoEachJobOnce(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, n := w.queue(), w.node()
		ids := w.push(q, numbered(300)...)
		for _, d := range n.take(300) {
			go func() {
				if err := d.Dead(w.Context(), "x"); err != nil {
					panic(err)
				}
			}()
		}
		w.settle()
		require.NoError(w, n.Close(w.Context()))
		counts := make(chan int, 10)
		for range 3 {
			other := w.queue()
			go func() {
				n, err := other.Redrive(w.Context())
				if err != nil {
					panic(err)
				}
				counts <- n
			}()
		}
		go func() {
			n := 0
			for _, id := range ids[:20] {
				if err := q.Cancel(w.Context(), id); err == nil {
					n++
				} else if !errors.Is(err, queue.ErrNotFound) {
					panic(err)
				}
			}
			counts <- n
		}()
		total := 0
		for range 4 {
			total += <-counts
		}
		require.Equal(w, 280, int(w.stats(q).Ready))
		require.GreaterOrEqual(w, total, 300)
		w.audit(ids[:20]...)
	})
}
