package etcd_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

// postOnly makes a server answer as through a proxy that opens no WebSocket.
func postOnly(srv *etcdtest.Server) {
	srv.Inject(etcdtest.Fault{
		Path:  "/v3/watch",
		Match: func(r *etcdtest.Request) bool { return r.Body == nil },
		Reply: etcdtest.TextReply(403, "text/html", "<html>no</html>"),
	})
}

// expected gives what a watch of set must deliver from revision from to to.
func expected(srv *etcdtest.Server, set etcd.KeySet, from, to int64) []string {
	var out []string
	for _, ev := range srv.Events() {
		if ev.Revision < from || ev.Revision > to || !set.Contains(ev.KV.Key) {
			continue
		}
		typ := "put"
		if ev.Deleted {
			typ = "delete"
		}
		out = append(out, fmt.Sprintf("%s %s=%s@%d", typ, ev.KV.Key, ev.KV.Value, ev.KV.ModRevision))
	}
	return out
}

// churn changes keys in random transactions until stop is closed.
func churn(ctx context.Context, srv *etcdtest.Server, rng *rand.Rand) {
	for i := 0; ctx.Err() == nil; i++ {
		key := fmt.Sprintf("%c/%d", 'a'+rng.IntN(3), rng.IntN(4))
		if rng.IntN(5) == 0 {
			srv.Delete(key)
		} else {
			srv.Put(key, fmt.Appendf(nil, "%d", i))
		}
		time.Sleep(time.Duration(rng.IntN(20)) * time.Millisecond)
	}
}

// harm does something to the cluster that a watch must survive.
func harm(srv *etcdtest.Server, rng *rand.Rand) {
	i := rng.IntN(3)
	switch rng.IntN(7) {
	case 0, 1:
		srv.DropWatches()
	case 2:
		srv.Kill(i)
		time.Sleep(time.Duration(rng.IntN(3000)) * time.Millisecond)
		srv.Restart(i)
	case 3:
		srv.Partition(i)
		time.Sleep(time.Duration(rng.IntN(12000)) * time.Millisecond)
		srv.Heal(i)
	case 4:
		srv.Pause(i)
		time.Sleep(time.Duration(rng.IntN(8000)) * time.Millisecond)
		srv.Resume(i)
	case 5:
		srv.LoseQuorum()
		time.Sleep(time.Duration(rng.IntN(4000)) * time.Millisecond)
		srv.RegainQuorum()
	case 6:
		srv.StallWatches()
		time.Sleep(time.Duration(rng.IntN(1000)) * time.Millisecond)
		srv.ResumeWatches()
	}
}

func TestEachEventIsDeliveredOnceAndInOrderWhateverHappensToTheCluster(t *testing.T) {
	for seed := range uint64(24) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { survive(t, seed) })
		})
	}
}

func survive(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	srv := etcdtest.Start(t, etcdtest.WithMembers(3))
	if seed%4 == 3 {
		postOnly(srv)
	}
	c := newClient(t, srv, func(cfg *etcd.Config) {
		if seed%3 == 1 {
			cfg.WatchBufferBytes = 24 << 10 // so that watches overflow
		}
	})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var work sync.WaitGroup
	churning := rand.New(rand.NewPCG(seed, 2))
	work.Go(func() { churn(ctx, srv, churning) })
	time.Sleep(100 * time.Millisecond)

	var consumers sync.WaitGroup
	stop := make(chan int64) // closed when nothing changes any more
	var last int64
	for i := range 12 {
		opts := []etcd.WatchOption{etcd.WithProgress()}
		set := []etcd.KeySet{etcd.Key("a/0"), etcd.Prefix("a/"), etcd.All(), etcd.Range("a/2", "b/2"), etcd.From("b/")}[rng.IntN(5)]
		if rng.IntN(4) == 0 {
			opts = append(opts, etcd.Bulky())
		}
		start := int64(0)
		if rng.IntN(2) == 0 {
			start = rng.Int64N(srv.Revision()+40) + 1
			opts = append(opts, etcd.FromRevision(start))
		}
		var slow time.Duration
		if rng.IntN(3) == 0 {
			slow = time.Duration(rng.IntN(800)) * time.Millisecond
		}
		w, err := c.Watch(ctx, set, opts...)
		require.NoError(t, err)
		consumers.Go(func() {
			from := start
			if from == 0 {
				from = w.Created() + 1
			}
			got, reached := consume(t, w, slow, stop, &last)
			want := expected(srv, set, from, last)
			if !slices.Equal(want, got) {
				t.Errorf("watch %d of %v from %d (created at %d) up to %d of %d:\nwant %s\ngot  %s", i, set, from, w.Created(), reached, last, strings.Join(want, " "), strings.Join(got, " "))
			}
			w.Close()
		})
		if rng.IntN(2) == 0 {
			harm(srv, rng)
		}
		if rng.IntN(3) == 0 {
			extra, err := c.Watch(ctx, etcd.All())
			require.NoError(t, err)
			time.AfterFunc(time.Duration(rng.IntN(3000))*time.Millisecond, extra.Close)
		}
	}
	for range 6 {
		harm(srv, rng)
		time.Sleep(time.Duration(rng.IntN(5000)) * time.Millisecond)
	}
	cancel()
	work.Wait()
	for range 60 { // those that asked for a revision to come get there
		srv.Put("z", nil)
	}
	last = srv.Revision()
	close(stop)
	consumers.Wait()
}

// consume reads w until all up to *last has been delivered, which is known
// when stop is closed.
func consume(t *testing.T, w *etcd.Watcher, slow time.Duration, stop chan int64, last *int64) (got []string, reached int64) {
	for begin := time.Now(); ; {
		select {
		case <-stop:
			if reached >= *last {
				return got, reached
			}
			slow = 0
		default:
		}
		if time.Since(begin) > 10*time.Minute {
			t.Errorf("watch of %v hangs at revision %d", w.KeySet(), reached)
			return got, reached
		}
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		batch, err := w.Next(ctx)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			select {
			case <-stop:
				// A watch over requests of its own hears nothing of progress.
				if time.Since(begin) > 8*time.Minute {
					return got, reached
				}
			default:
			}
			continue
		}
		if err != nil {
			t.Errorf("watch of %v ended: %v", w.KeySet(), err)
			return got, reached
		}
		if batch.Revision < reached {
			t.Errorf("watch of %v went back from %d to %d", w.KeySet(), reached, batch.Revision)
		}
		reached = batch.Revision
		for _, ev := range batch.Events {
			got = append(got, show(ev))
		}
		time.Sleep(slow)
	}
}
