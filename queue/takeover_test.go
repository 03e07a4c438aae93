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

func TestAJobOfADeadConsumerIsTakenOverAtOnceAtOneAttemptMore(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, a, b := w.queue(), w.node(), w.node()
		id := w.push(q, "x")[0]
		d := a.takeOne()
		a.die()
		start := time.Now()
		again := b.takeOne()
		require.Less(w, time.Since(start), 500*time.Millisecond)
		require.Equal(w, id, again.ID)
		require.Equal(w, 2, again.Attempt)
		require.True(w, again.Suspect)
		require.Greater(w, again.Token(), d.Token())

		require.ErrorIs(w, d.Ack(w.Context()), queue.ErrClaimLost, "a stale ack is refused")
		require.ErrorIs(w, d.Nack(w.Context(), 0), queue.ErrClaimLost)
		require.ErrorIs(w, d.Dead(w.Context(), "x"), queue.ErrClaimLost)
		_, err := d.AckWith(w.Context(), etcd.Txn{Then: []etcd.Op{etcd.Put("result", nil)}})
		require.ErrorIs(w, err, queue.ErrClaimLost)
		require.Error(w, d.Context().Err())
		require.Error(w, d.Err())
		require.NoError(w, again.Ack(w.Context()))
		w.empty()
	})
}

func TestAStaleGuardFailsInTheCallersTransaction(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, a, b := w.queue(), w.node(), w.node()
		w.push(q, "x")
		stale := a.takeOne()
		write := func(d *queue.Delivery[string]) bool {
			res, err := q.Client().Txn(w.Context(), etcd.Txn{If: []etcd.Cmp{d.Guard()}, Then: []etcd.Op{etcd.Put("effect", nil)}})
			require.NoError(w, err)
			return res.Succeeded
		}
		require.True(w, write(stale))
		a.die()
		d := b.takeOne()
		require.False(w, write(stale))
		require.True(w, write(d))
		require.NoError(w, d.Ack(w.Context()))
		require.False(w, write(d), "it is settled")
	})
}

func TestAGuardEndsWithItsJobThoughTheClaimOfItsNeighboursGoesOn(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, n := w.queue(), w.node()
		w.push(q, "acknowledged", "put off", "kept")
		ds := n.take(3)
		holds := func() (out []bool) {
			for _, d := range ds {
				res, err := q.Client().Txn(w.Context(), etcd.Txn{If: []etcd.Cmp{d.Guard()}})
				require.NoError(w, err)
				out = append(out, res.Succeeded)
			}
			return out
		}
		require.Equal(w, []bool{true, true, true}, holds())
		require.NoError(w, ds[0].Ack(w.Context()))
		require.NoError(w, ds[1].Nack(w.Context(), time.Hour))
		require.Equal(w, []bool{false, false, true}, holds())
	})
}

func TestAConsumerWhosePresenceIsGoneEndsWithACause(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, a, b := w.queue(), w.node(), w.node()
		w.push(q, "x")
		d := a.takeOne()
		require.True(w, w.srv.Delete(data+"c/consumer/"+a.ID()))
		<-d.Context().Done()
		// Which of the two it sees first is open: that its presence is gone, or
		// that the other one has therefore taken its claim.
		cause := context.Cause(d.Context())
		require.True(w, errors.Is(cause, queue.ErrConsumerGone) || errors.Is(cause, queue.ErrClaimLost), cause)
		_, err := a.Receive(w.Context(), 1)
		require.ErrorIs(w, err, queue.ErrConsumerGone)
		require.ErrorIs(w, a.Err(), queue.ErrConsumerGone)
		require.Equal(w, 2, b.takeOne().Attempt)
		before := w.srv.Requests()["/v3/kv/txn"]
		time.Sleep(5 * time.Minute)
		require.LessOrEqual(w, w.srv.Requests()["/v3/kv/txn"]-before, 10, "it does not spin")
	})
}

func TestAConsumerOfAnExpiredSessionSaysSo(t *testing.T) {
	inBubbles(t, func(w *world) {
		a := w.node()
		a.die()
		_, err := a.Receive(w.Context(), 1)
		require.Error(w, err)
		require.True(w, etcdExpired(err), err)
	})
}

func etcdExpired(err error) bool {
	for _, target := range []error{etcd.ErrSessionExpired, etcd.ErrSessionRevoked, queue.ErrConsumerGone} {
		if is(err, target) {
			return true
		}
	}
	return false
}

func TestAHungHandlerLosesItsClaimAtTheMaximumAge(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, a, b := w.queue(), w.node(queue.MaxClaimAge(time.Minute)), w.node()
		w.push(q, "x")
		start := time.Now()
		d := a.takeOne()
		again := b.takeOne()
		require.InDelta(w, time.Minute, time.Since(start), float64(time.Second))
		require.Equal(w, 2, again.Attempt)
		require.ErrorIs(w, context.Cause(d.Context()), queue.ErrClaimAge)
		require.ErrorIs(w, d.Ack(w.Context()), queue.ErrClaimLost)
		require.NoError(w, a.Err(), "the consumer goes on")
		require.NoError(w, again.Ack(w.Context()))
		w.push(q, "y")
		require.Equal(w, "y", b.takeOne().Value)
	})
}

func TestWhatWasClaimedWithAHungJobAndNotBegunGoesBackAtNoAttempt(t *testing.T) {
	inBubbles(t, func(w *world) {
		q := w.queue()
		w.push(q, "hangs", "x", "y")
		a := w.node(queue.Prefetch(2), queue.MaxClaimAge(time.Minute))
		b := w.node()
		require.Equal(w, "hangs", a.takeOne().Value)
		attempts := map[string]int{}
		for range 3 {
			d := b.takeOne()
			attempts[d.Value] = d.Attempt
			require.NoError(w, d.Ack(w.Context()))
		}
		require.Equal(w, map[string]int{"hangs": 2, "x": 1, "y": 1}, attempts)
	})
}

// A process that claims in advance and then hangs, or forgets to receive, does not
// keep from others for ever what it has not begun.
func TestJobsClaimedInAdvanceGoToOthersWhenNobodyReceivesThem(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, a := w.queue(), w.node(queue.Prefetch(10), queue.MaxClaimAge(time.Minute))
		w.push(q, numbered(10)...)
		require.NoError(w, a.takeOne().Ack(w.Context()))
		b := w.node()
		start := time.Now()
		for range 9 {
			d := b.takeOne()
			require.Equal(w, 1, d.Attempt)
			require.NoError(w, d.Ack(w.Context()))
		}
		require.Less(w, time.Since(start), 2*time.Minute)
		w.push(q, "more")
		require.Equal(w, "more", b.takeOne().Value, "it claims nothing more in advance")
		go func() { _, _ = a.Receive(w.Context(), 1) }()
		w.settle()
		w.push(q, numbered(12)...)
		w.settle()
		require.Greater(w, w.stats(q).Claimed, int64(1), "until somebody receives")
	})
}

func TestWhatCannotBeHandedBackIsHandedBackLater(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, a := w.queue(), w.node(queue.Prefetch(10), queue.MaxClaimAge(time.Minute))
		w.push(q, numbered(10)...)
		d := a.takeOne()
		require.NoError(w, d.Ack(w.Context()))
		w.srv.SetNoSpace(true)
		time.Sleep(2 * time.Minute)
		w.srv.SetNoSpace(false)
		ds := w.node().take(9)
		for _, d := range ds {
			require.Equal(w, 1, d.Attempt)
		}
		w.ackAll(ds)
		require.NoError(w, a.Close(w.Context()))
		w.empty()
	})
}

func TestAnOperatorCanReclaim(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, a, b := w.queue(), w.node(), w.node()
		w.push(q, "x")
		d := a.takeOne()
		n, err := q.Reclaim(w.Context(), a.ID())
		require.NoError(w, err)
		require.Equal(w, 1, n)
		<-d.Context().Done()
		require.ErrorIs(w, context.Cause(d.Context()), queue.ErrClaimLost)
		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		ds, err := b.Receive(ctx, 1)
		if err != nil { // a was first again
			ds = a.take(1)
		}
		require.Equal(w, 2, ds[0].Attempt)
		require.NoError(w, ds[0].Ack(w.Context()))
	})
}

func TestTheClaimsOfAConsumerThatDiedWhileNobodyLookedAreTakenOver(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, a := w.queue(), w.node()
		w.push(q, numbered(3)...)
		ds := a.take(3)
		require.NoError(w, ds[1].Ack(w.Context()))
		a.die()
		time.Sleep(time.Hour)
		b := w.node()
		var got []string
		for range 2 {
			d := b.takeOne()
			require.Equal(w, 2, d.Attempt)
			got = append(got, d.Value)
			require.NoError(w, d.Ack(w.Context()))
		}
		require.Equal(w, []string{"job 0", "job 2"}, got)
		b.none(time.Minute)
		w.empty()
	})
}

func TestManyConsumersTakeOverADeadOnesClaimsOnce(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, a := w.queue(), w.node()
		w.push(q, numbered(10)...)
		a.take(10)
		got := make(chan string, 100)
		for range 5 {
			n := w.node()
			go func() {
				for {
					ds, err := n.Receive(w.Context(), 10)
					if err != nil {
						return
					}
					for _, d := range ds {
						if err := d.Ack(w.Context()); err != nil {
							panic(fmt.Sprint("ack: ", err))
						}
						got <- d.Value
					}
				}
			}()
		}
		a.die()
		time.Sleep(time.Minute)
		var vs []string
		for len(got) > 0 {
			vs = append(vs, <-got)
		}
		require.Equal(w, sorted(numbered(10)), sorted(vs))
		w.empty()
	})
}

// The server has the last word on who is dead.
func TestTheClaimsOfAConsumerThatIsThereAreNotTakenOver(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, a := w.queue(), w.node()
		w.node()
		w.push(q, "x")
		a.takeOne()
		presence := data + "c/consumer/" + a.ID()
		record := data + "claim/" + a.ID() + "/00000001"
		hold := make(chan struct{})
		taking := w.srv.Inject(etcdtest.Fault{Path: txnPath, Times: 1, Hold: hold, Match: func(r *etcdtest.Request) bool { return r.Touches(record) }})
		a.die()
		require.NoError(w, taking.Await(w.Context(), 1))
		w.srv.Put(presence, []byte("{}"))
		close(hold)
		time.Sleep(time.Minute)
		require.Equal(w, []string{record}, w.srv.Keys(record))
		require.True(w, w.srv.Delete(presence))
		require.Equal(w, 2, w.node().takeOne().Attempt)
	})
}
