package linetest

import (
	"context"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

// Trouble is a World of three members in which one thing after the other goes
// wrong, at random, while parties write under their guards.
type Trouble struct {
	*World
	// Meddling says that somebody deletes keys below Prefix and revokes leases,
	// too. Then two may believe that they hold until the event arrives, but the
	// guard lets only one write.
	Meddling bool
	Prefix   string

	mu     sync.Mutex
	rnd    *rand.Rand
	writes int
}

// NewTrouble makes a Trouble. Seed and stream choose what happens.
func NewTrouble(w *World, prefix string, seed, stream uint64) *Trouble {
	return &Trouble{World: w, Prefix: prefix, rnd: rand.New(rand.NewPCG(seed, stream))}
}

// LatencyOf has requests take time for half of the seeds, be they odd or even.
func LatencyOf(seed uint64) time.Duration {
	if seed%4 == 1 || seed%4 == 2 {
		return Latency
	}
	return 0
}

// Mishap has one thing go wrong that a party has to get over by itself: watches
// break, or stall until ResumeWatches, history is compacted, or some replies are
// lost until over is called.
func (w *World) Mishap(rnd *rand.Rand) (over func()) {
	switch rnd.IntN(4) {
	case 0:
		w.Srv.DropWatches()
	case 1:
		_ = w.Srv.Compact(w.Srv.Revision())
	case 2:
		return w.Srv.Inject(etcdtest.Fault{Times: 1 + rnd.IntN(3), LoseReply: true}).Remove
	case 3:
		w.Srv.StallWatches()
	}
	return func() {}
}

// IntN gives a random number below n.
func (r *Trouble) IntN(n int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rnd.IntN(n)
}

// UpTo gives a random time of up to d.
func (r *Trouble) UpTo(d time.Duration) time.Duration {
	return time.Duration(r.IntN(int(d/time.Millisecond))+1) * time.Millisecond
}

// ClientOf makes the client of party i, who prefers another member than the next.
func (r *Trouble) ClientOf(i int) *etcd.Client {
	return r.Client(func(cfg *etcd.Config) {
		urls := r.Srv.URLs()
		cfg.Endpoints = append(urls[i%len(urls):len(urls):len(urls)], urls[:i%len(urls)]...)
		cfg.AttemptTimeout = time.Second
	})
}

// Run lets parties do something for so long, while things go wrong, and waits for
// them.
func (r *Trouble) Run(long time.Duration, parties int, party func(ctx context.Context, i int)) {
	ctx, cancel := context.WithTimeout(r.Context(), long)
	defer cancel()
	var wg sync.WaitGroup
	for i := range parties {
		wg.Go(func() { party(ctx, i) })
	}
	wg.Go(func() {
		for ctx.Err() == nil {
			r.disturb()
			time.Sleep(r.UpTo(2 * time.Second))
		}
	})
	wg.Wait()
}

// disturb lets something go wrong, and heals it after a while.
func (r *Trouble) disturb() {
	i := r.IntN(3)
	long := r.UpTo(8 * time.Second)
	switch kind := r.IntN(11); {
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
		in := r.Srv.Inject(etcdtest.Fault{Path: "/v3/kv/txn", Times: 1 + r.IntN(3), Late: late})
		time.Sleep(long)
		in.Remove()
		close(late)
	case kind == 6:
		r.Srv.StallWatches()
		time.Sleep(long / 4)
		r.Srv.ResumeWatches()
	case kind <= 8:
		in := r.Srv.Inject(etcdtest.Fault{Times: 1 + r.IntN(5), LoseRequest: kind == 7, LoseReply: kind == 8})
		time.Sleep(long / 4)
		in.Remove()
	case r.Meddling && kind == 9:
		if keys := r.Srv.Keys(r.Prefix); len(keys) > 0 {
			r.Srv.Delete(keys[r.IntN(len(keys))])
		}
	case r.Meddling && kind == 10:
		if ls := r.Srv.Leases(); len(ls) > 0 {
			r.Srv.RevokeLease(ls[r.IntN(len(ls))].ID)
		}
	}
}

// Write puts the token of a holder to a key under its guard.
func (r *Trouble) Write(ctx context.Context, c *etcd.Client, of interface {
	Guard() etcd.Cmp
	Token() int64
}) {
	res, err := c.Txn(ctx, etcd.Txn{
		If:   []etcd.Cmp{of.Guard()},
		Then: []etcd.Op{etcd.Put("protected", []byte(strconv.FormatInt(of.Token(), 10)))},
	})
	if err == nil && res.Succeeded {
		r.mu.Lock()
		r.writes++
		r.mu.Unlock()
	}
}

// CheckWrites looks at what was written, in the order it was committed.
func (r *Trouble) CheckWrites() {
	r.Helper()
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
}
