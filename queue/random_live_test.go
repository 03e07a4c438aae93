package queue_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/queue"
)

// TestNothingIsHeldForEverByConsumersThatLive lets consumers work through the same
// weather without dying. What goes wrong with one of their claims must not be left
// to those who take over: some minutes later nothing of any job is left.
func TestNothingIsHeldForEverByConsumersThatLive(t *testing.T) {
	for seed := range uint64(8 / stride) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			inBubbleWith(t, time.Duration(seed%2)*usual, func(w *world) { w.lasting(seed) }, etcdtest.WithMembers(3))
		})
	}
}

func (w *world) lasting(seed uint64) {
	stop, cancel := context.WithTimeout(w.Context(), 3*time.Minute)
	defer cancel()
	s := &storm{world: w, r: rand.New(rand.NewPCG(seed, 8)), stop: stop, immortal: true,
		ids: map[string]bool{}, settled: map[string]bool{}, tokens: map[string]int64{}, failures: map[string]int{}}
	end, enough := context.WithCancel(w.Context())
	defer enough()
	var storm, workers sync.WaitGroup
	for i := range 3 {
		c := s.process()
		defer func() { require.NoError(w, c.Close()) }()
		ctx, cancel := context.WithTimeout(w.Context(), 5*time.Second)
		sess, err := etcd.NewSession(ctx, c, etcd.WithTTL(time.Minute)) // longer than a member is paused
		cancel()
		require.NoError(w, err)
		defer func() { require.NoError(w, sess.Close(context.Background())) }()
		cons, err := queue.New[string](c, name).Consumer(sess, queue.Prefetch(5*i), queue.MaxAttempts(1000), queue.MaxClaimAge(20*time.Second))
		require.NoError(w, err)
		defer func() { require.NoError(w, cons.Close(context.Background())) }()
		storm.Go(func() { s.producer(i) })
		workers.Go(func() { s.workOn(end, cons) })
	}
	storm.Go(s.weather)
	storm.Wait()
	time.Sleep(5 * time.Minute)
	for q := w.queue(); ; time.Sleep(time.Minute) {
		_, err := q.Redrive(w.Context())
		if err == nil {
			break
		}
		require.ErrorIs(w, err, queue.ErrDuplicate, "of some that had one key, one after the other")
	}
	time.Sleep(time.Minute)
	require.EqualValues(w, 3, w.stats(w.queue()).Consumers)
	w.empty()
	w.audit()
	enough()
	workers.Wait()
	require.Empty(w, s.wrong)
}

// workOn works until ctx ends, and when the storm is over does all that comes.
func (s *storm) workOn(ctx context.Context, c *queue.Consumer[string]) {
	var handlers sync.WaitGroup
	defer handlers.Wait()
	for ctx.Err() == nil {
		ds, err := c.Receive(ctx, 1+s.dice(10))
		if c.Err() != nil {
			s.wrongly("a consumer has ended: %v", c.Err())
			return
		}
		if err != nil {
			_ = sleepFor(ctx, time.Second)
			continue
		}
		for _, d := range ds {
			handlers.Go(func() {
				if s.stop.Err() == nil {
					if s.dice(3) == 0 {
						_ = sleepFor(s.stop, time.Duration(s.dice(30000))*time.Millisecond)
					}
					s.deal(d)
					return
				}
				if err := d.Ack(ctx); err != nil && !errors.Is(err, queue.ErrClaimLost) && !errors.Is(err, etcd.ErrUnknownOutcome) {
					s.wrongly("an ack in calm weather: %v", err)
				}
			})
		}
	}
}
