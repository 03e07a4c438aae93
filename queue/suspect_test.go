package queue_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/queue"
)

func TestSuspectsAreTakenOneAtATimeInAProcess(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, a := w.queue(), w.node()
		w.push(q, numbered(5)...)
		a.take(5)
		c := w.client()
		b, b2 := w.nodeOf(c, w.session(c), queue.Prefetch(10)), w.nodeOf(c, w.session(c), queue.Prefetch(10))
		w.settle()
		a.die()
		time.Sleep(time.Second)
		st := w.stats(q)
		require.EqualValues(w, 1, st.Claimed, "one of two consumers of one process")
		require.EqualValues(w, 4, st.Suspect)
		other := w.node()
		d := other.takeOne()
		require.NoError(w, d.Ack(w.Context()))
		got := make(chan *queue.Delivery[string], 10)
		for _, n := range []*node{b, b2} {
			go func() {
				for {
					ds, err := n.Receive(w.Context(), 10)
					if err != nil {
						return
					}
					for _, d := range ds {
						got <- d
					}
				}
			}()
		}
		for range 4 {
			d := <-got
			require.Empty(w, got)
			require.Equal(w, 2, d.Attempt)
			require.NoError(w, d.Ack(w.Context()))
		}
		w.empty()
	})
}

// A process that prefetches a poisonous job among others dies of it, again and
// again. Only that one becomes a dead letter, and the others lose no more than
// the attempts at which they shared a process with it.
func TestAPoisonousJobEndsInTheDeadLettersAndDoesNotTakeItsNeighboursAlong(t *testing.T) {
	inBubbles(t, func(w *world) {
		q := w.queue()
		ids := w.push(q, "a", "b", "poison", "c", "d", "e")
		done := map[string]int{}
		crashes := 0
		for range 20 {
			n := w.node(queue.Prefetch(50), queue.MaxAttempts(3))
			alive := true
			for alive && len(done) < 5 {
				ds, err := n.Receive(w.Context(), 50)
				require.NoError(w, err)
				for _, d := range ds {
					if d.Value == "poison" {
						crashes++
						n.die()
						alive = false
						break
					}
					require.NoError(w, d.Ack(w.Context()))
					done[d.Value]++
				}
			}
			if alive {
				require.NoError(w, n.Close(w.Context()))
				break
			}
		}
		require.Len(w, done, 5)
		for v, n := range done {
			require.Equal(w, 1, n, v)
		}
		n := w.node(queue.MaxAttempts(3))
		for crashes < 3 {
			d := n.takeOne()
			require.Equal(w, "poison", d.Value)
			crashes++
			n.die()
			n = w.node(queue.MaxAttempts(3))
		}
		time.Sleep(time.Second)
		dead := w.list(q, queue.Dead)
		require.Len(w, dead, 1)
		require.Equal(w, ids[2], dead[0].ID)
		require.Equal(w, "crash", dead[0].DiedBy)
		require.Equal(w, 3, dead[0].Attempt)
	})
}

func TestAJobThatNeverCrashedAloneIsNotMadeADeadLetter(t *testing.T) {
	inBubbles(t, func(w *world) {
		q := w.queue()
		w.push(q, "a", "b")
		for i := range 4 {
			n := w.node(queue.MaxAttempts(1))
			if i == 0 {
				n.take(2) // together: neither is to blame
				n.die()
				require.Zero(w, w.stats(q).Dead)
				continue
			}
			require.NoError(w, n.Close(w.Context()))
		}
		require.EqualValues(w, 2, w.stats(q).Suspect)
	})
}

func TestASuspectThatFailsWithoutACrashIsSuspectNoMore(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, a := w.queue(), w.node()
		w.push(q, "x")
		a.takeOne()
		a.die()
		b := w.node()
		d := b.takeOne()
		require.True(w, d.Suspect)
		require.NoError(w, d.Nack(w.Context(), time.Second))
		d = b.takeOne()
		require.False(w, d.Suspect)
		require.Equal(w, 3, d.Attempt, "attempts survive")
	})
}

// An operator does not know how many attempts the consumers allow.
func TestReclaimMakesNoDeadLetters(t *testing.T) {
	inBubbles(t, func(w *world) {
		q := w.queue()
		id := w.push(q, "x")[0]
		for range queue.DefaultMaxAttempts {
			n := w.node(queue.MaxAttempts(20))
			n.takeOne()
			n.die()
		}
		a, b := w.node(queue.MaxAttempts(20)), w.node(queue.MaxAttempts(20))
		d := a.takeOne()
		require.Equal(w, queue.DefaultMaxAttempts+1, d.Attempt)
		n, err := q.Reclaim(w.Context(), a.ID())
		require.NoError(w, err)
		require.Equal(w, 1, n)
		require.ErrorIs(w, d.Ack(w.Context()), queue.ErrClaimLost)
		again := b.takeOne()
		require.Equal(w, id, again.ID)
		require.Equal(w, d.Attempt+1, again.Attempt)
		require.NoError(w, again.Ack(w.Context()))
		w.empty()
	})
}

// The record of a job that was settled otherwise than by an Ack is removed later,
// when the next suspect is claimed already.
func TestTheEndOfASuspectDoesNotFreeThePlaceOfTheNext(t *testing.T) {
	inBubbles(t, func(w *world) {
		q, a := w.queue(), w.node()
		w.push(q, numbered(4)...)
		a.take(4)
		a.die()
		b := w.node(queue.Prefetch(10))
		for left := 3; left > 0; left-- {
			d := b.takeOne()
			require.True(w, d.Suspect)
			require.NoError(w, d.Nack(w.Context(), time.Hour))
			time.Sleep(time.Second)
			require.EqualValues(w, left, w.stats(q).Suspect+1)
			require.Len(w, w.list(q, queue.Claimed), 1)
		}
	})
}
