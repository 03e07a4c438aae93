package sequence

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/integration/cluster"
	"github.com/quorate/quorate/integration/internal/party"
	"github.com/quorate/quorate/sequence"
)

// Clients at every member take numbers in every way while members are killed,
// paused and cut off and replies are lost. No number comes twice, strict ones come
// in the order of real time, and a number that was taken in a transaction stands
// in what that has written.
func TestWhileMembersAreKilledPausedAndCutOffNumbersAreUniqueAndInOrder(t *testing.T) {
	t.Parallel()
	const name = "troubled"
	cl := cluster.Start(t, cluster.Options{Members: 3})
	ctx, cancel := context.WithTimeout(t.Context(), 14*time.Second)
	defer cancel()
	g := &given{T: t, got: map[int64]string{}, took: map[string]int{}}
	var takers sync.WaitGroup
	for i := range 3 {
		c := party.Troubled(t, cl, i)
		t.Cleanup(func() { require.NoError(t, c.Close()) })
		s := sequence.New(c, name)
		for range 2 {
			takers.Go(func() {
				g.take(ctx, "next", func(ctx context.Context) ([]int64, error) {
					n, err := s.Next(ctx)
					return []int64{n}, err
				})
			})
		}
		takers.Go(func() {
			g.take(ctx, "range", func(ctx context.Context) (all []int64, err error) {
				r, err := s.NextN(ctx, 3)
				for n := range r.All() {
					all = append(all, n)
				}
				return all, err
			})
		})
		takers.Go(func() {
			g.take(ctx, "in", func(ctx context.Context) ([]int64, error) {
				n, _, err := s.NextIn(ctx, func(n int64) etcd.Txn {
					return etcd.Txn{
						Then: []etcd.Op{etcd.Put("invoice/"+strconv.FormatInt(n, 10), nil)},
						Else: []etcd.Op{etcd.Put("never", nil)},
					}
				})
				return []int64{n}, err
			})
		})
		takers.Go(func() {
			cached := s.Cached(20)
			defer func() {
				end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
				defer cancel()
				_ = cached.Close(end)
			}()
			g.take(ctx, "cached", func(ctx context.Context) ([]int64, error) {
				n, err := cached.Next(ctx)
				return []int64{n}, err
			})
		})
	}
	takers.Go(func() { party.Trouble(ctx, t, cl) })
	takers.Wait()
	require.NoError(t, cl.WaitReady(t.Context()))

	c := party.Client(t, cl.Endpoints()...)
	n, err := sequence.New(c, name).Next(t.Context())
	require.NoError(t, err)
	require.Greater(t, n, g.strict)
	t.Logf("%d numbers up to %d: %v", len(g.got), n, g.took)
	for _, kind := range []string{"next", "range", "in", "cached"} {
		require.Greater(t, g.took[kind], 20, kind)
	}
	written := map[int64]bool{}
	for kv, err := range c.List(t.Context(), etcd.Prefix("invoice/")) {
		require.NoError(t, err)
		n := number(t, kv.Key[len("invoice/"):])
		written[n] = true
		require.EqualValues(t, 1, kv.Version, "%s was written twice", kv.Key)
		require.Contains(t, []string{"in", ""}, g.got[n], "%d is somebody else's as well", n)
	}
	for n, kind := range g.got {
		require.True(t, kind != "in" || written[n], "%d was told, and not written", n)
	}
	r, err := c.Get(t.Context(), etcd.Key("never"))
	require.NoError(t, err)
	require.Empty(t, r.KVs)
}

// given is the numbers that were given out.
type given struct {
	*testing.T
	mu     sync.Mutex
	got    map[int64]string // the way in which each was
	took   map[string]int
	strict int64 // the greatest of those that are not from a block
}

// take takes numbers in one way until ctx ends.
func (g *given) take(ctx context.Context, kind string, f func(context.Context) ([]int64, error)) {
	for ctx.Err() == nil {
		g.mu.Lock()
		began := g.strict
		g.mu.Unlock()
		call, cancel := context.WithTimeout(ctx, 3*time.Second)
		ns, err := f(call)
		cancel()
		if err != nil {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		g.note(kind, began, ns)
		if kind == "cached" {
			time.Sleep(time.Millisecond)
		}
	}
}

func (g *given) note(kind string, began int64, ns []int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, n := range ns {
		if was, twice := g.got[n]; twice {
			g.Errorf("%d was given out twice: %s, %s", n, was, kind)
		}
		g.got[n] = kind
		if kind == "cached" {
			continue
		}
		if n <= began {
			g.Errorf("%d (%s) came after %d", n, kind, began)
		}
		g.strict = max(g.strict, n)
	}
	g.took[kind]++
}
