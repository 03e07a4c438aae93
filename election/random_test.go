package election_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/election"
	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
	"github.com/quorate/quorate/internal/linetest"
)

// TestUnderRandomTroubleThereIsOneLeaderAndTokensGrow lets candidates, two of them
// of one session, lead, proclaim, hand over and write under their guard, while
// requests and replies are lost and members are paused, killed and cut off. With
// meddling, leaders are deposed, leases revoked and keys deleted by hand, too: then
// two may believe that they lead until the event arrives, but the guard lets only
// one write.
func TestUnderRandomTroubleThereIsOneLeaderAndTokensGrow(t *testing.T) {
	seeds := uint64(8)
	if linetest.UnderRace {
		seeds = 2
	}
	for seed := range seeds {
		meddling := seed%2 == 1
		t.Run(fmt.Sprintf("seed %d, meddling %v", seed, meddling), func(t *testing.T) {
			inTime(t, latencyOf(seed), func(w *world) {
				r := &trouble{world: w, rnd: rand.New(rand.NewPCG(seed, 1)), strict: !meddling}
				r.run(3 * time.Minute)
				r.check()
			}, three...)
		})
	}
}

// latencyOf has requests take time for half of the seeds, of each kind.
func latencyOf(seed uint64) time.Duration {
	if seed%4 == 1 || seed%4 == 2 {
		return linetest.Latency
	}
	return 0
}

type trouble struct {
	*world
	strict bool

	mu     sync.Mutex
	rnd    *rand.Rand
	leader *election.Term // the last
	wins   int
	handed int
	writes int
}

func (r *trouble) intn(n int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rnd.IntN(n)
}

func (r *trouble) upTo(d time.Duration) time.Duration {
	return time.Duration(r.intn(int(d/time.Millisecond))+1) * time.Millisecond
}

func (r *trouble) run(long time.Duration) {
	ctx, cancel := context.WithTimeout(r.Context(), long)
	defer cancel()
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() { r.work(ctx, i) })
	}
	wg.Go(func() { r.disturb(ctx) })
	wg.Wait()
}

// work stands for election again and again, the first worker twice at a time.
func (r *trouble) work(ctx context.Context, i int) {
	c := r.Client(func(cfg *etcd.Config) {
		urls := r.Srv.URLs()
		cfg.Endpoints = append(urls[i%len(urls):len(urls):len(urls)], urls[:i%len(urls)]...)
		cfg.AttemptTimeout = time.Second
	})
	for n := 0; ctx.Err() == nil; n++ {
		s, err := etcd.NewSession(ctx, c, etcd.WithTTL(5*time.Second))
		if err != nil {
			continue
		}
		e := stand(s)
		var wg sync.WaitGroup
		for twin := range 1 + (i+3)%4/3 {
			wg.Go(func() {
				for n := 0; ctx.Err() == nil && s.Err() == nil; n++ {
					r.once(ctx, c, e, fmt.Sprintf("%d.%d-%d", i, twin, n))
				}
			})
		}
		wg.Wait()
		bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		_ = s.Close(bye)
		cancel()
	}
}

// usual are the errors that a campaign may end with.
var usual = []error{
	context.DeadlineExceeded, context.Canceled, etcd.ErrSessionExpired, etcd.ErrSessionRevoked, etcd.ErrSessionClosed,
	election.ErrDeleted, election.ErrDeposed,
}

func (r *trouble) once(ctx context.Context, c *etcd.Client, e *election.Election, value string) {
	wait, cancel := context.WithTimeout(ctx, r.upTo(20*time.Second))
	defer cancel()
	t, err := e.Campaign(wait, []byte(value))
	if err != nil {
		known := false
		for _, u := range usual {
			known = known || errors.Is(err, u)
		}
		if !known {
			r.Errorf("the campaign failed: %v", err)
		}
		time.Sleep(r.upTo(time.Second))
		return
	}
	r.won(t)
	for range r.intn(4) {
		work, cancel := context.WithTimeout(t.Context(), r.upTo(3*time.Second))
		if r.intn(3) == 0 {
			_ = t.Proclaim(work, append(t.Value(), '!'))
		}
		r.write(work, c, t)
		cancel()
		time.Sleep(r.upTo(500 * time.Millisecond))
	}
	bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.upTo(10*time.Second))
	defer cancel()
	r.handOver(bye, c, e, t)
	_ = t.Resign(bye)
	if t.Err() == nil {
		r.Errorf("token %d: resigned, and still good", t.Token())
	}
	r.write(bye, c, t) // which must be refused
}

// handOver has t or somebody else hand over, or not.
func (r *trouble) handOver(ctx context.Context, c *etcd.Client, e *election.Election, t *election.Term) {
	st, err := e.State(ctx)
	if err != nil || st.Leader == nil || len(st.Candidates) == 0 {
		return
	}
	to := st.Candidates[r.intn(len(st.Candidates))]
	switch r.intn(5) {
	case 0, 1:
		err = t.Transfer(ctx, to)
	case 2: // what the leader is told of comes to nothing here, but for the change of its key
		_ = election.Ask(ctx, c, name, *st.Leader, to)
		return
	case 3:
		if r.strict {
			return
		}
		err = election.Depose(ctx, c, name, *st.Leader, to)
	default:
		return
	}
	if err == nil {
		r.mu.Lock()
		r.handed++
		r.mu.Unlock()
	}
}

func (r *trouble) write(ctx context.Context, c *etcd.Client, t *election.Term) {
	res, err := c.Txn(ctx, etcd.Txn{
		If:   []etcd.Cmp{t.Guard()},
		Then: []etcd.Op{etcd.Put("protected", []byte(strconv.FormatInt(t.Token(), 10)))},
	})
	if err == nil && res.Succeeded {
		r.mu.Lock()
		r.writes++
		r.mu.Unlock()
	}
}

// won notes a term, and looks whether the one before knows that it is over.
func (r *trouble) won(t *election.Term) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wins++
	if last := r.leader; last != nil && r.strict && t.Err() == nil {
		if last.Token() >= t.Token() {
			r.Errorf("token %d after token %d", t.Token(), last.Token())
		}
		if last.Err() == nil {
			r.Errorf("two leaders: %d and %d", last.Token(), t.Token())
		}
	}
	r.leader = t
}

// disturb lets one thing after the other go wrong, and heals it after a while.
func (r *trouble) disturb(ctx context.Context) {
	for ctx.Err() == nil {
		i := r.intn(3)
		long := r.upTo(8 * time.Second)
		switch kind := r.intn(11); {
		case kind == 0:
			r.Srv.Pause(i)
			time.Sleep(long)
			r.Srv.Resume(i)
		case kind == 1:
			r.Srv.Kill(i)
			time.Sleep(long)
			r.Srv.Restart(i)
		case kind == 2:
			r.Srv.Partition(i)
			time.Sleep(long)
			r.Srv.Heal(i)
		case kind == 3:
			r.Srv.DropWatches()
		case kind == 4:
			_ = r.Srv.Compact(r.Srv.Revision())
		case kind == 5:
			late := make(chan struct{})
			in := r.Srv.Inject(etcdtest.Fault{Path: "/v3/kv/txn", Times: 1 + r.intn(3), Late: late})
			time.Sleep(long)
			in.Remove()
			close(late)
		case kind == 6:
			r.Srv.StallWatches()
			time.Sleep(long / 4)
			r.Srv.ResumeWatches()
		case kind <= 8:
			in := r.Srv.Inject(etcdtest.Fault{Times: 1 + r.intn(5), LoseRequest: kind == 7, LoseReply: kind == 8})
			time.Sleep(long / 4)
			in.Remove()
		case !r.strict && kind == 9:
			if keys := r.line(); len(keys) > 0 {
				r.Srv.Delete(keys[r.intn(len(keys))])
			}
		case !r.strict && kind == 10:
			if ls := r.Srv.Leases(); len(ls) > 0 {
				r.Srv.RevokeLease(ls[r.intn(len(ls))].ID)
			}
		}
		time.Sleep(r.upTo(2 * time.Second))
	}
}

// check looks at what was written, in the order it was committed.
func (r *trouble) check() {
	last, n := int64(0), 0
	for _, ev := range r.Srv.Events() {
		if ev.KV.Key != "protected" {
			continue
		}
		token, err := strconv.ParseInt(string(ev.KV.Value), 10, 64)
		require.NoError(r, err)
		require.GreaterOrEqual(r, token, last, "a write under an older token came after one under a newer")
		last, n = token, n+1
	}
	require.GreaterOrEqual(r, n, r.writes)
	require.Greater(r, r.writes, 10, "too little happened to tell anything")
	require.Greater(r, r.wins, 20)
	require.Greater(r, r.handed, 1)
	// No orphans: once all is well another leads, and then the line is empty.
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	t, err := stand(r.Session()).Campaign(ctx, nil)
	require.NoError(r, err)
	r.resign(t)
	time.Sleep(time.Minute)
	require.Empty(r, r.line())
}
