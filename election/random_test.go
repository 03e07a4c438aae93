package election_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/election"
	"github.com/quorate/quorate/etcd"
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
			inTime(t, linetest.LatencyOf(seed), func(w *world) {
				r := &trouble{Trouble: linetest.NewTrouble(w.World, election.Root+name+"/", seed, 1)}
				r.Meddling = meddling
				r.Run(3*time.Minute, 4, r.work)
				r.check()
			}, three...)
		})
	}
}

type trouble struct {
	*linetest.Trouble

	mu     sync.Mutex
	leader *election.Term // the last
	wins   int
	handed int
}

// work stands for election again and again, the first worker twice at a time.
func (r *trouble) work(ctx context.Context, i int) {
	c := r.ClientOf(i)
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

// expected asserts that an error is one that trouble can lead to, or somebody's
// meddling if there is any.
func (r *trouble) expected(err error) {
	usual := []error{context.DeadlineExceeded, context.Canceled, etcd.ErrSessionExpired, etcd.ErrSessionClosed}
	if r.Meddling {
		usual = append(usual, etcd.ErrSessionRevoked, election.ErrDeleted, election.ErrDeposed)
	}
	for _, u := range usual {
		if errors.Is(err, u) {
			return
		}
	}
	r.Errorf("unexpected: %v", err)
}

func (r *trouble) once(ctx context.Context, c *etcd.Client, e *election.Election, value string) {
	wait, cancel := context.WithTimeout(ctx, r.UpTo(20*time.Second))
	defer cancel()
	t, err := e.Campaign(wait, []byte(value))
	if err != nil {
		r.expected(err)
		time.Sleep(r.UpTo(time.Second))
		return
	}
	r.won(t)
	for range r.IntN(4) {
		work, cancel := context.WithTimeout(t.Context(), r.UpTo(3*time.Second))
		if r.IntN(3) == 0 {
			_ = t.Proclaim(work, append(t.Value(), '!'))
		}
		r.Write(work, c, t)
		cancel()
		time.Sleep(r.UpTo(500 * time.Millisecond))
	}
	if err := t.Err(); err != nil {
		r.expected(err)
	}
	bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.UpTo(10*time.Second))
	defer cancel()
	r.handOver(bye, c, e, t)
	_ = t.Resign(bye)
	if t.Err() == nil {
		r.Errorf("token %d: resigned, and still good", t.Token())
	}
	r.Write(bye, c, t) // which must be refused
}

// handOver has t or somebody else hand over, or not.
func (r *trouble) handOver(ctx context.Context, c *etcd.Client, e *election.Election, t *election.Term) {
	st, err := e.State(ctx)
	if err != nil || st.Leader == nil || len(st.Candidates) == 0 {
		return
	}
	to := st.Candidates[r.IntN(len(st.Candidates))]
	switch r.IntN(5) {
	case 0, 1:
		err = t.Transfer(ctx, to)
	case 2: // what the leader is told of comes to nothing here, but for the change of its key
		_ = election.Ask(ctx, c, name, *st.Leader, to)
		return
	case 3:
		if !r.Meddling {
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

// won notes a term, and looks whether the one before knows that it is over.
func (r *trouble) won(t *election.Term) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wins++
	if last := r.leader; last != nil && !r.Meddling && t.Err() == nil {
		if last.Token() >= t.Token() {
			r.Errorf("token %d after token %d", t.Token(), last.Token())
		}
		if last.Err() == nil {
			r.Errorf("two leaders: %d and %d", last.Token(), t.Token())
		}
	}
	r.leader = t
}

// check looks at what was written, and at what is left.
func (r *trouble) check() {
	r.CheckWrites()
	require.Greater(r, r.wins, 20)
	require.Greater(r, r.handed, 1)
	// No orphans: once all is well another leads, and then the line is empty.
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	t, err := stand(r.Session()).Campaign(ctx, nil)
	require.NoError(r, err)
	require.NoError(r, t.Resign(ctx))
	time.Sleep(time.Minute)
	require.Empty(r, r.Srv.Keys(r.Prefix))
}
