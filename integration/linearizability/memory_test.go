package linearizability

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

// memory is a cluster in memory on which faults fall, and clients of it.
type memory struct {
	srv     *etcdtest.Server
	clients []*etcd.Client
	mu      sync.Mutex
	dice    *rand.Rand
	batched int // calls that shared a request
}

func (m *memory) roll(oneIn int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dice.IntN(oneIn) == 0
}

// newMemory starts a cluster of three members. Of so many requests about one
// meets each sort of fault; 0 is none.
func newMemory(t *testing.T, seed uint64, oneIn int) *memory {
	m := &memory{srv: etcdtest.Start(t, etcdtest.WithMembers(3)), dice: rand.New(rand.NewPCG(seed, 99))}
	m.srv.Inject(etcdtest.Fault{Delay: 500 * time.Microsecond}) // so that callers wait for each other
	if oneIn > 0 {
		sometimes := func(f etcdtest.Fault) {
			f.Match = func(*etcdtest.Request) bool { return m.roll(oneIn) }
			m.srv.Inject(f)
		}
		sometimes(etcdtest.Fault{LoseReply: true})
		sometimes(etcdtest.Fault{LoseRequest: true})
		sometimes(etcdtest.Fault{CutReply: 30})
		sometimes(etcdtest.Fault{Commit: true, Refuse: &etcdtest.Error{Code: etcdtest.Unavailable, Message: "etcdserver: request timed out"}})
		sometimes(etcdtest.Fault{Refuse: &etcdtest.Error{Code: etcdtest.Unavailable, Message: "etcdserver: no leader"}})
		sometimes(etcdtest.Fault{DelayReply: 200 * time.Millisecond})
	}
	for i := range 3 {
		urls := m.srv.URLs()
		c, err := etcd.New(etcd.Config{
			Endpoints: append(urls[i:], urls[:i]...), Dial: m.srv.Dial,
			AttemptTimeout: 150 * time.Millisecond, RetryTimeout: 2 * time.Second,
			Hooks: etcd.Hooks{Batch: func(i etcd.BatchInfo) { m.mu.Lock(); m.batched += i.Calls; m.mu.Unlock() }},
		})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, c.Close()) })
		m.clients = append(m.clients, c)
	}
	return m
}

// meddle pauses, cuts off, kills and restarts members until ctx ends.
func (m *memory) meddle(ctx context.Context) {
	for i := 0; ctx.Err() == nil; i = (i + 1) % 3 {
		m.srv.Pause(i)
		pause(ctx, 200*time.Millisecond)
		m.srv.Resume(i)
		m.srv.Partition((i + 1) % 3)
		pause(ctx, 40*time.Millisecond)
		m.srv.Heal((i + 1) % 3)
		m.srv.Kill(i)
		pause(ctx, 20*time.Millisecond)
		m.srv.Restart(i)
		pause(ctx, 100*time.Millisecond)
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// tally is what a run of many histories came to.
type tally struct {
	rounds, calls, unknown int
	undecided              int
	illegal                *history
	why                    error // of illegal, where it is plain
}

// enough is how many histories there are at least, however slow the machine.
const enough = 6

// histories makes and checks histories until the time is up and there are
// enough of them, or until one is illegal. They are small, so that each is
// decided in a moment; the limit is for one that would never be.
func histories(t *testing.T, l workload, d time.Duration) (sum tally) {
	ctx, cancel := context.WithTimeout(context.Background(), d+5*time.Minute)
	defer cancel()
	for end := time.Now().Add(d); time.Now().Before(end) || sum.rounds < enough; l.seed++ {
		h, err := l.run(ctx)
		require.NoError(t, err)
		sum.rounds++
		sum.calls += len(h.ops)
		sum.unknown += h.unknown()
		verdict, err := h.check(time.Minute)
		switch verdict {
		case porcupine.Unknown:
			sum.undecided++
		case porcupine.Illegal:
			sum.illegal, sum.why = h, err
			return sum
		}
	}
	return sum
}

func TestHistoriesAreLinearizableInMemory(t *testing.T) {
	for name, oneIn := range map[string]int{"without faults": 0, "with faults": 120} {
		t.Run(name, func(t *testing.T) {
			m := newMemory(t, 1, oneIn)
			ctx, cancel := context.WithCancel(context.Background())
			var wg sync.WaitGroup
			if oneIn > 0 {
				wg.Go(func() { m.meddle(ctx) })
			}
			sum := histories(t, workload{clients: m.clients, goroutines: 6, calls: 12, seed: 1, patience: 300 * time.Millisecond}, 5*time.Second)
			cancel()
			wg.Wait()
			t.Logf("%+v, %d calls in batches", sum, m.batched)
			requireLegal(t, sum)
			require.Greater(t, m.batched, sum.calls/4, "calls that shared a request")
			if oneIn > 0 {
				require.Greater(t, sum.unknown, sum.rounds/2, "unknown outcomes")
			}
		})
	}
}

// requireLegal fails where a history cannot be explained, or where too many
// were too hard to decide for the others to say much.
func requireLegal(t *testing.T, sum tally) {
	t.Helper()
	if sum.illegal != nil {
		for _, o := range sum.illegal.ops {
			t.Log(o.ClientId, o.Call, o.Return, model.DescribeOperation(o.Input, o.Output))
		}
		t.Fatalf("a history that no order of its calls explains: %v", sum.why)
	}
	require.LessOrEqual(t, sum.undecided, sum.rounds/10, "histories that were too hard to decide")
}
