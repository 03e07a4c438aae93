package queue_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/queue"
)

// claims counts the claim records that were ever written, and the batches of
// jobs that were enqueued.
func (s *shop) claims() (claims, batches int) {
	for _, e := range s.srv.Events() {
		switch key := e.KV.Key; {
		case e.Deleted:
		case strings.Contains(key, "/claim/"):
			claims++
		case strings.HasSuffix(key, "/c/tail"):
			batches++
		}
	}
	return claims, batches
}

func TestJobsThatComeFastAndFewAtATimeAreClaimedManyAtATime(t *testing.T) {
	inShops(t, func(s *shop) {
		s.srv.Inject(etcdtest.Fault{Path: "/v3/kv/txn", Delay: time.Millisecond})
		c := s.work(func(context.Context, *queue.Delivery[string]) error { return nil },
			func(cfg *queue.WorkerConfig) { cfg.Concurrency = 16 })
		soon()
		var producers sync.WaitGroup
		for range 16 {
			producers.Go(func() {
				for range 400 {
					_, err := s.q.Enqueue(s.Context(), "job")
					require.NoError(s, err)
				}
			})
		}
		producers.Wait()
		soon()
		require.Len(s, c.seen(), 6400)
		claims, batches := s.claims()
		require.GreaterOrEqual(s, batches, 400)
		require.Less(s, claims, batches/2)
		c.stop()
		require.NoError(s, c.ended())
	})
}

func TestWhatIsAtHandIsFilledUpByHalves(t *testing.T) {
	inShops(t, func(s *shop) {
		s.push(many(400)...)
		c := s.work(func(context.Context, *queue.Delivery[string]) error {
			time.Sleep(10 * time.Millisecond)
			return nil
		}, drain, prefetch(40))
		require.NoError(s, c.ended())
		require.Len(s, c.seen(), 400)
		claims, _ := s.claims()
		require.Less(s, claims, 30, "of about twenty jobs each")
	})
}
