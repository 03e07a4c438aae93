package queue_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/queue"
)

func TestWhenEtcdIsFullAcksGoOnAndAllElseSaysSo(t *testing.T) {
	inBubble(t, func(w *world) {
		q, n := w.queue(), w.node()
		w.push(q, "a", "b", "c", "d")
		_, err := q.Enqueue(w.Context(), "u", queue.Unique("k"), queue.Priority(1))
		require.NoError(w, err)
		u := n.takeOne()
		ds := n.take(3)
		w.srv.SetNoSpace(true)

		_, err = q.Enqueue(w.Context(), "x")
		require.ErrorIs(w, err, queue.ErrFull)
		require.ErrorIs(w, err, etcd.ErrNoSpace)
		require.NotErrorIs(w, err, etcd.ErrUnknownOutcome, "it is looked up")
		require.Zero(w, w.txns(func() {
			for range 100 {
				_, err := q.Enqueue(w.Context(), "x")
				require.ErrorIs(w, err, queue.ErrFull)
			}
		}), "no requests while it is known to be full")

		require.NoError(w, ds[0].Ack(w.Context()))
		require.NoError(w, u.Ack(w.Context()), "a unique key is freed, too")
		require.ErrorIs(w, ds[1].Nack(w.Context(), 0), queue.ErrFull)
		require.ErrorIs(w, ds[2].Dead(w.Context(), "x"), queue.ErrFull)
		require.NoError(w, ds[1].Err(), "the claim stays")
		_, err = n.Receive(w.Context(), 1)
		require.ErrorIs(w, err, queue.ErrFull)

		w.srv.SetNoSpace(false)
		time.Sleep(time.Second)
		_, err = q.Enqueue(w.Context(), "x", queue.Unique("k"))
		require.NoError(w, err)
		require.NoError(w, ds[1].Nack(w.Context(), 0), "called again")
		require.NoError(w, ds[2].Dead(w.Context(), "x"))
		got := values(n.take(3))
		require.Equal(w, []string{"b", "d", "x"}, sorted(got))
		log := w.audit()
		require.Len(w, log.Gone, 2)
	})
}

func TestAnEnqueueThatWasAnsweredWithNoSpaceButAppliedIsNoError(t *testing.T) {
	inBubble(t, func(w *world) {
		q := w.queue()
		w.push(q, "a")
		in := w.srv.Inject(etcdtest.Fault{Path: "/v3/kv/txn", Times: 1, Commit: true,
			Refuse: &etcdtest.Error{Code: etcdtest.ResourceExhausted, Message: "etcdserver: mvcc: database space exceeded"}})
		_, err := q.Enqueue(w.Context(), "b")
		require.NoError(w, err)
		require.Equal(w, 1, in.Hits())
		require.EqualValues(w, 2, w.stats(q).Ready)
	})
}

func TestReadyJobsArePurgedEvenWhenEtcdIsFull(t *testing.T) {
	inBubble(t, func(w *world) {
		q, n := w.queue(), w.node()
		w.push(q, numbered(1200)...)
		_, err := q.Enqueue(w.Context(), "u", queue.Unique("k"))
		require.NoError(w, err)
		ds := n.take(2)
		require.NoError(w, ds[1].Return(w.Context()))
		w.srv.SetNoSpace(true)
		purged, err := q.Purge(w.Context(), queue.Ready)
		require.NoError(w, err)
		require.Equal(w, 1200, purged)
		require.NoError(w, ds[0].Ack(w.Context()))
		w.srv.SetNoSpace(false)
		time.Sleep(time.Second)
		_, err = q.Enqueue(w.Context(), "after", queue.Unique("k"))
		require.NoError(w, err)
		d := n.takeOne()
		require.Equal(w, "after", d.Value)
		require.NoError(w, d.Ack(w.Context()))
		w.empty()
	})
}

// What is at hand is filled up when nobody is in Receive. If that fails, it is no
// answer to whoever comes long after.
func TestAnEtcdThatWasFullOnceIsNoErrorOfALaterReceive(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, n := w.queue(), w.node(queue.Prefetch(10))
		w.push(q, numbered(4)...)
		w.ackAll(n.take(4))
		w.settle()
		full := w.srv.Inject(etcdtest.Fault{Path: txnPath,
			Refuse: &etcdtest.Error{Code: etcdtest.ResourceExhausted, Message: "etcdserver: mvcc: database space exceeded"},
			Match:  func(r *etcdtest.Request) bool { return r.Puts(data+"c/head") && r.Touches(data+"c/consumer/"+n.ID()) },
		})
		w.push(q, numbered(20)...)
		require.NoError(w, full.Await(w.Context(), 1))
		_, err := q.Purge(w.Context(), queue.Ready)
		require.NoError(w, err)
		full.Remove()
		w.settle()
		time.Sleep(time.Hour)
		n.none(time.Minute)
		w.push(q, "x")
		require.NoError(w, n.takeOne().Ack(w.Context()))
	})
}

// Every Receive that waits for a claim is told that it failed.
func TestAllWhoWaitAreToldThatEtcdIsFull(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, n := w.queue(), w.node()
		errs := make(chan error, 3)
		for range 3 {
			go func() {
				_, err := n.Receive(w.Context(), 1)
				errs <- err
			}()
		}
		w.settle()
		w.srv.Inject(etcdtest.Fault{Path: txnPath,
			Refuse: &etcdtest.Error{Code: etcdtest.ResourceExhausted, Message: "etcdserver: mvcc: database space exceeded"},
			Match:  func(r *etcdtest.Request) bool { return r.Puts(data+"c/head") && r.Touches(data+"c/consumer/"+n.ID()) },
		})
		w.push(q, numbered(5)...)
		for range 3 {
			require.ErrorIs(w, <-errs, queue.ErrFull)
		}
	})
}

func TestADelayedClaimThatFoundEtcdFullIsMadeLater(t *testing.T) {
	inBubble(t, func(w *world) {
		q, n := w.queue(), w.node()
		w.push(q, "a")
		w.srv.SetNoSpace(true)
		got := make(chan *queue.Delivery[string])
		go func() {
			for {
				ds, err := n.Receive(w.Context(), 1)
				if err == nil {
					got <- ds[0]
					return
				}
				if !is(err, queue.ErrFull) {
					panic(err)
				}
			}
		}()
		time.Sleep(time.Minute)
		w.srv.SetNoSpace(false)
		require.NoError(w, (<-got).Ack(w.Context()))
	})
}

func TestAConsumerThatStartsInAFullEtcdSaysSoAndStartsLater(t *testing.T) {
	inBubble(t, func(w *world) {
		w.push(w.queue(), "a")
		c := w.client()
		s := w.session(c)
		w.srv.SetNoSpace(true)
		n := w.nodeOf(c, s)
		_, err := n.Receive(w.Context(), 1)
		require.ErrorIs(w, err, queue.ErrFull)
		w.srv.SetNoSpace(false)
		var ds []*queue.Delivery[string]
		for ds == nil {
			if ds, err = n.Receive(w.Context(), 1); err != nil {
				require.ErrorIs(w, err, queue.ErrFull)
			}
		}
		require.NoError(w, ds[0].Ack(w.Context()))
	})
}

func TestLargeJobsAreClaimedInPortionsThatFitAReply(t *testing.T) {
	inBubble(t, func(w *world) {
		q := w.queue()
		big := strings.Repeat("x", 900_000)
		for range 12 {
			w.push(q, big)
		}
		w.push(q, numbered(100)...)
		c := w.client(func(cfg *etcd.Config) { cfg.MaxReplyBytes = 8 << 20 })
		n := w.nodeOf(c, w.session(c), queue.Prefetch(5000))
		ds := n.take(112)
		require.Len(w, ds, 112)
		w.ackAll(ds)
		w.empty()
	})
}

func TestAClaimWhoseReplyIsTooLargeIsMadeSmaller(t *testing.T) {
	inBubble(t, func(w *world) {
		q := w.queue()
		for range 20 {
			w.push(q, strings.Repeat("x", 250_000))
		}
		c := w.client(func(cfg *etcd.Config) { cfg.MaxReplyBytes = 1 << 20 })
		n := w.nodeOf(c, w.session(c))
		for len(w.srv.Keys(data+"jobs/")) > 0 {
			d := n.takeOne()
			require.Equal(w, 1, d.Attempt)
			require.NoError(w, d.Ack(w.Context()))
		}
		w.settle()
		w.audit()
		w.empty()
	})
}

// While a claim that is too old is being given up, its job is acknowledged; then
// the giving up fails. Nobody else looks after it, and it was a suspect's.
func TestAClaimThatCouldNotBeGivenUpAndWasSettledMeanwhileIsRemoved(t *testing.T) {
	inBubble(t, func(w *world) {
		q, a := w.queue(), w.node()
		w.push(q, "x", "y")
		a.take(2)
		a.die()
		b := w.node(queue.MaxClaimAge(time.Minute))
		d := b.takeOne()
		require.True(w, d.Suspect)
		hold := make(chan struct{})
		giving := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, Hold: hold,
			Refuse: &etcdtest.Error{Code: etcdtest.ResourceExhausted, Message: "etcdserver: mvcc: database space exceeded"},
			Match:  func(r *etcdtest.Request) bool { return r.Touches(data + "claim/" + b.ID() + "/00000001") },
		})
		require.NoError(w, giving.Await(w.Context(), 1))
		require.ErrorIs(w, context.Cause(d.Context()), queue.ErrClaimAge)
		require.NoError(w, d.Ack(w.Context()))
		close(hold)
		ctx, cancel := context.WithTimeout(w.Context(), 30*time.Second)
		defer cancel()
		ds, err := b.Receive(ctx, 1)
		require.NoError(w, err)
		w.ackAll(ds)
		w.empty()
	})
}
