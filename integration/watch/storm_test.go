package watch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/integration/cluster"
)

// A history is what was written, in the order of revisions, and what of it was
// compacted away.
type history struct {
	mu        sync.Mutex
	events    []written
	compacted int64
}

type written struct {
	key, value string
	revision   int64
}

// last is the last revision that changed one of set.
func (h *history) last(set etcd.KeySet) int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := len(h.events) - 1; i >= 0; i-- {
		if set.Contains(h.events[i].key) {
			return h.events[i].revision
		}
	}
	return 0
}

// write writes and deletes keys, and compacts now and then, until ctx ends.
func (h *history) write(ctx context.Context, t *testing.T, c *client, rnd *rand.Rand) {
	for i := 0; ctx.Err() == nil; i++ {
		w := written{key: fmt.Sprintf("k/%d/x", rnd.IntN(4)), value: fmt.Sprint(i)}
		if rnd.IntN(6) == 0 {
			w.value = ""
			r, err := c.Delete(context.Background(), etcd.Key(w.key))
			require.NoError(t, err)
			if r.Deleted == 0 {
				continue
			}
			w.revision = r.Header.Revision
		} else {
			r, err := c.Put(context.Background(), w.key, []byte(w.value))
			require.NoError(t, err)
			w.revision = r.Header.Revision
		}
		h.mu.Lock()
		h.events = append(h.events, w)
		h.mu.Unlock()
		if i%400 == 399 {
			h.mu.Lock()
			at := max(w.revision-int64(100+rnd.IntN(500)), h.compacted+1)
			h.compacted = at
			h.mu.Unlock()
			require.NoError(t, c.Compact(context.Background(), at, false))
		}
		time.Sleep(time.Duration(rnd.IntN(4)) * time.Millisecond)
	}
}

// between gives the events of set from one revision to another.
func (h *history) between(set etcd.KeySet, from, to int64) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []string
	for _, w := range h.events {
		if w.revision >= from && w.revision <= to && set.Contains(w.key) {
			out = append(out, fmt.Sprintf("%s=%s@%d", w.key, w.value, w.revision))
		}
	}
	return out
}

// A viewer is a watch and what it was given.
type viewer struct {
	set  etcd.KeySet
	from int64
	got  []string
	at   int64 // what it has come to
	err  error
}

// view watches for a while, or where leave is 0 until it has all that was written.
func (v *viewer) view(ctx context.Context, t *testing.T, c *client, leave time.Duration, final func(etcd.KeySet) int64) {
	var opts []etcd.WatchOption
	if v.from > 0 {
		opts = append(opts, etcd.FromRevision(v.from))
	}
	w, err := c.Watch(ctx, v.set, append(opts, etcd.WithProgress())...)
	require.NoError(t, err)
	defer w.Close()
	if v.from == 0 {
		v.from = w.Created() + 1
	}
	v.at = v.from - 1
	until := time.Now().Add(leave)
	for leave == 0 || time.Now().Before(until) {
		if last := final(v.set); last > 0 && v.at >= last {
			return
		}
		step, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		batch, err := w.Next(step)
		over := step.Err() != nil
		cancel()
		if err != nil && over && ctx.Err() == nil {
			continue
		}
		if v.err = err; err != nil {
			return
		}
		for _, ev := range batch.Events {
			v.got = append(v.got, fmt.Sprintf("%s=%s@%d", ev.KV.Key, ev.KV.Value, ev.Revision()))
			v.at = ev.Revision()
		}
		v.at = max(v.at, batch.Revision)
	}
}

// check says whether the watch was given what it had to be given, and no more.
func (v *viewer) check(t *testing.T, h *history) (compacted bool) {
	require.Equal(t, h.between(v.set, v.from, v.at), append([]string(nil), v.got...), "%v from %d to %d", v.set, v.from, v.at)
	if v.err == nil {
		return false
	}
	var gone *etcd.CompactedError
	require.ErrorAs(t, v.err, &gone, "%v from %d, come to %d of %d", v.set, v.from, v.at, h.last(v.set))
	require.LessOrEqual(t, gone.Revision, h.compacted)
	require.Greater(t, gone.Revision, v.at, "what it has is not what is gone")
	return true
}

// Watches with a stream of their own come and go while connections are cut:
// all of them, those of a single request, and those of which nobody is told.
func TestOverStreamsOfTheirOwnWatchesMissAndRepeatNothingWhateverIsCut(t *testing.T) {
	const long = 7 * time.Second
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	cl := cluster.Start(t, cluster.Options{})
	cut, err := cluster.NewProxy(strings.TrimPrefix(plainProxy(t, cl.Endpoints()[0]), "http://"))
	require.NoError(t, err)
	t.Cleanup(cut.Close)
	c := newClient(t, cl, func(cfg *etcd.Config) { cfg.Endpoints = []string{"http://" + cut.Addr()} })
	calm := newClient(t, cl, func(cfg *etcd.Config) { cfg.Endpoints = []string{cl.Direct(0)} })
	_, err = calm.Put(t.Context(), "begin", nil)
	require.NoError(t, err)

	h := &history{}
	writing, stop := context.WithTimeout(t.Context(), long)
	defer stop()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	var work, views sync.WaitGroup
	work.Go(func() { h.write(writing, t, calm, rand.New(rand.NewPCG(seed, 1))) })
	work.Go(func() {
		rnd := rand.New(rand.NewPCG(seed, 2))
		for i := 0; writing.Err() == nil; i++ {
			watches := func(sent []byte) bool { return strings.Contains(string(sent), "POST /v3/watch") }
			switch rnd.IntN(5) {
			case 0:
				cut.Reset()
			case 1:
				cl.Client(0).Reset() // behind the one that passes requests on
			case 2:
				cut.LoseRequests(1+rnd.IntN(3), watches)
			case 3:
				cut.LoseReplies(1+rnd.IntN(3), watches)
			case 4:
				cut.Blackhole()
				time.Sleep(time.Duration(rnd.IntN(200)) * time.Millisecond)
				require.NoError(t, cut.Heal())
			}
			time.Sleep(time.Duration(rnd.IntN(300)) * time.Millisecond)
		}
		require.NoError(t, cut.Heal())
	})
	written := make(chan struct{})
	final := func(set etcd.KeySet) int64 {
		select {
		case <-written:
			return h.last(set)
		default:
			return 0
		}
	}
	var mu sync.Mutex
	var all []*viewer
	for g := range 6 {
		views.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, uint64(10+g)))
			for writing.Err() == nil {
				v := &viewer{set: etcd.Prefix("k/")}
				if rnd.IntN(2) == 0 {
					v.set = etcd.Key(fmt.Sprintf("k/%d/x", rnd.IntN(4)))
				}
				if last := h.last(etcd.All()); rnd.IntN(2) == 0 {
					v.from = max(last-int64(rnd.IntN(400)), 1)
				}
				leave := time.Duration(1+rnd.IntN(1500)) * time.Millisecond
				mu.Lock()
				all = append(all, v)
				mu.Unlock()
				if rnd.IntN(4) == 0 {
					leave = 0 // stays to the end
					views.Go(func() { v.view(ctx, t, c, leave, final) })
					continue
				}
				v.view(ctx, t, c, leave, final)
			}
		})
	}
	work.Wait()
	close(written)
	_, err = calm.Put(t.Context(), "end", nil)
	require.NoError(t, err)
	views.Wait()
	gone, events := 0, 0
	for _, v := range all {
		if v.check(t, h) {
			gone++
		}
		events += len(v.got)
	}
	t.Logf("%d watches over %v, %d of them ended by compaction, were given %d events of %d", len(all), c.opened, gone, events, len(h.events))
	require.Equal(t, []string{"stream"}, keysOf(c.opened))
	require.False(t, errors.Is(ctx.Err(), context.DeadlineExceeded))
}

func keysOf(m map[string]int) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	return keys
}
