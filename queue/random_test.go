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

// storm is a run of several processes that enqueue and work while all sorts of
// things go wrong.
type storm struct {
	*world
	r    *rand.Rand
	stop context.Context

	immortal bool // leases do not expire

	mu       sync.Mutex
	ids      map[string]bool  // enqueued for sure
	settled  map[string]bool  // acknowledged for sure
	tokens   map[string]int64 // of the last claim of a job that was delivered
	wrong    []string
	failures map[string]int
}

func (s *storm) dice(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.r.IntN(n)
}

func (s *storm) wrongly(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wrong = append(s.wrong, fmt.Sprintf(format, args...))
}

// TestNothingIsLostOrDoneTwiceWhateverGoesWrong lets several processes enqueue,
// work, fail, retry, redrive and die for some minutes, while replies are lost,
// members die and pause, watches break, leases expire and history is compacted.
// Then it replays every event of the server. Half of the times requests take no
// time but what goes wrong.
func TestNothingIsLostOrDoneTwiceWhateverGoesWrong(t *testing.T) {
	for seed := range uint64(8 / stride) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			inBubbleWith(t, time.Duration(seed%2)*usual, func(w *world) { w.storm(seed) }, etcdtest.WithMembers(3))
		})
	}
}

func (w *world) storm(seed uint64) {
	stop, cancel := context.WithTimeout(w.Context(), 3*time.Minute)
	defer cancel()
	s := &storm{world: w, r: rand.New(rand.NewPCG(seed, 7)), stop: stop,
		ids: map[string]bool{}, settled: map[string]bool{}, tokens: map[string]int64{}, failures: map[string]int{}}
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() { s.producer(i) })
		wg.Go(func() { s.worker() })
	}
	wg.Go(s.weather)
	wg.Wait()
	s.calm()
	require.Empty(w, s.wrong)
	w.Logf("%d jobs, failures %v", len(s.ids), s.failures)
	require.Greater(w, len(s.ids), 30)
}

// process makes a client; whoever calls it closes it.
func (s *storm) process() *etcd.Client {
	eps, k := s.srv.URLs(), s.dice(3)
	c, err := etcd.New(etcd.Config{Endpoints: append(eps[k:], eps[:k]...), Dial: s.srv.Dial, AttemptTimeout: time.Second})
	if err != nil {
		panic(err)
	}
	return c
}

func (s *storm) failed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case errors.Is(err, etcd.ErrUnknownOutcome):
		s.failures["unknown"]++
	case errors.Is(err, queue.ErrClaimLost):
		s.failures["claim lost"]++
	default:
		s.failures["other"]++
	}
}

func sleepFor(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
	return ctx.Err()
}

// weather makes things go wrong.
func (s *storm) weather() {
	for s.stop.Err() == nil {
		f := etcdtest.Fault{Path: txnPath, Skip: s.dice(20), Times: 1 + s.dice(3)}
		switch s.dice(12) {
		case 0, 1:
			f.LoseReply = true
		case 2:
			f.LoseRequest = true
		case 3:
			f.DelayReply = time.Duration(s.dice(3000)) * time.Millisecond
		case 4, 5:
			late := make(chan struct{})
			f.Late = late
			time.AfterFunc(time.Duration(s.dice(20000))*time.Millisecond, func() { close(late) })
		case 6:
			s.srv.DropWatches()
		case 7:
			m := s.dice(3)
			s.srv.Kill(m)
			_ = sleepFor(s.stop, time.Duration(s.dice(4000))*time.Millisecond)
			s.srv.Restart(m)
		case 8:
			m := s.dice(3)
			s.srv.Pause(m)
			_ = sleepFor(s.stop, time.Duration(s.dice(12000))*time.Millisecond)
			s.srv.Resume(m)
		case 9:
			if s.dice(3) == 0 {
				_ = s.srv.Compact(s.srv.Revision() - int64(s.dice(10)))
			}
		case 10:
			if ls := s.srv.Leases(); len(ls) > 0 && !s.immortal {
				s.srv.ExpireLease(ls[s.dice(len(ls))].ID)
			}
		case 11:
			s.srv.SetNoSpace(true)
			_ = sleepFor(s.stop, time.Duration(s.dice(2000))*time.Millisecond)
			s.srv.SetNoSpace(false)
		}
		in := s.srv.Inject(f)
		_ = sleepFor(s.stop, time.Duration(s.dice(4000))*time.Millisecond)
		in.Remove()
	}
}

// calm lets one process work off what is left, and checks the whole history.
func (s *storm) calm() {
	time.Sleep(2 * time.Minute) // what is late, and what was bound to leases
	n := s.node(queue.MaxAttempts(1000))
	idle := time.Minute
	for {
		ctx, cancel := context.WithTimeout(context.Background(), idle)
		ds, err := n.Receive(ctx, 100)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			k, err := n.q.Redrive(context.Background())
			if err != nil && !errors.Is(err, queue.ErrDuplicate) {
				require.NoError(s, err)
			}
			if k == 0 {
				break
			}
			continue
		}
		require.NoError(s, err)
		for _, d := range ds {
			if d.Value == "with" {
				_, err = d.AckWith(context.Background(), etcd.Txn{Then: []etcd.Op{etcd.Put("result/"+d.ID, nil)}})
			} else {
				err = d.Ack(context.Background())
			}
			require.NoError(s, err)
		}
	}
	s.settle()
	s.atRest()
	log := s.audit()
	require.Empty(s, log.Left())
	for id := range s.ids {
		require.NotZero(s, log.Gone[id], "job %s is lost", id)
	}
	for id := range s.settled {
		require.NotZero(s, log.Gone[id], "job %s was acknowledged", id)
	}
	for id, token := range s.tokens {
		require.Less(s, token, log.Gone[id], "job %s was claimed after it was gone", id)
	}
	results := map[string]int{}
	for _, e := range s.srv.Events() {
		if len(e.KV.Key) > 7 && e.KV.Key[:7] == "result/" {
			results[e.KV.Key]++
		}
	}
	for k, n := range results {
		require.Equal(s, 1, n, "%s was written more than once", k)
	}
	s.empty()
}
