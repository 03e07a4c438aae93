package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/quorate/quorate/etcd"
)

const manyWatches = 10_000

func init() {
	scenarios = append(scenarios,
		scenario{name: "watch-10k", unit: "s", better: "lower", must: 2, aim: 1, ours: watchMany(seconds)},
		scenario{name: "watch-10k-memory", unit: "B/watch", better: "lower", must: 2048, aim: 1024, ours: alsoWatched(bytesEach)},
		scenario{name: "watch-10k-connections", unit: "connections", better: "lower", must: 1, aim: 1, ours: alsoWatched(connections)},
	)
}

// watched is what a run with many watches shows.
type watched struct {
	took        time.Duration // to create all and deliver an event to each
	bytes       float64       // of the client's heap and stacks, a watch
	connections int64         // that carry them
}

func seconds(w watched) float64     { return w.took.Seconds() }
func bytesEach(w watched) float64   { return w.bytes }
func connections(w watched) float64 { return float64(w.connections) }

// watchMany creates 10,000 watches from 128 goroutines, writes each one's key
// and takes every event from one goroutine, so that the callers' own
// goroutines are not counted.
func watchMany(figure func(watched) float64) setup {
	return func(_ context.Context, endpoints []string) (*side, error) {
		return &side{close: func() {}, once: func(ctx context.Context) (sample, error) {
			w, err := watchOnce(ctx, endpoints)
			watchRuns = append(watchRuns, w)
			return sample{value: figure(w)}, err
		}}, nil
	}
}

// watchRuns is what the runs so far have shown.
var watchRuns []watched

// alsoWatched gives another figure of the runs of watch-10k, or of a run of its
// own if there were none.
func alsoWatched(figure func(watched) float64) setup {
	return func(ctx context.Context, endpoints []string) (*side, error) {
		if len(watchRuns) == 0 {
			return watchMany(figure)(ctx, endpoints)
		}
		return &side{fixed: true, close: func() {}, once: func(context.Context) (sample, error) {
			var all []float64
			for _, w := range watchRuns {
				all = append(all, figure(w))
			}
			slices.Sort(all)
			return sample{value: all[len(all)/2]}, nil
		}}, nil
	}
}

func watchOnce(ctx context.Context, endpoints []string) (watched, error) {
	var open atomic.Int64
	watching, err := etcd.New(etcd.Config{Endpoints: endpoints, Hooks: etcd.Hooks{Watch: func(i etcd.WatchConnInfo) {
		if i.Open {
			open.Add(1)
		} else {
			open.Add(-1)
		}
	}}})
	if err != nil {
		return watched{}, err
	}
	defer watching.Close()
	writing, err := etcd.New(etcd.Config{Endpoints: endpoints})
	if err != nil {
		return watched{}, err
	}
	defer writing.Close()

	var w watched
	watchers := make([]*etcd.Watcher, manyWatches)
	before := inUse()
	begin := time.Now()
	var next atomic.Int64
	g, gctx := errgroup.WithContext(ctx)
	for range 128 {
		g.Go(func() error {
			for i := next.Add(1) - 1; i < manyWatches; i = next.Add(1) - 1 {
				var err error
				if watchers[i], err = watching.Watch(gctx, etcd.Key(watchKey(int(i)))); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return w, err
	}
	created := time.Since(begin)
	w.bytes = (inUse() - before) / manyWatches
	w.connections = open.Load()

	begin = time.Now()
	next.Store(0)
	g, gctx = errgroup.WithContext(ctx)
	for range 128 {
		g.Go(func() error {
			for i := next.Add(1) - 1; i < manyWatches; i = next.Add(1) - 1 {
				if _, err := writing.Put(gctx, watchKey(int(i)), payload); err != nil {
					return err
				}
			}
			return nil
		})
	}
	g.Go(func() error {
		for i, x := range watchers {
			ev, err := x.Next(gctx)
			if err != nil {
				return err
			}
			if len(ev.Events) != 1 || ev.Events[0].KV.Key != watchKey(i) {
				return fmt.Errorf("watch %d was delivered %v", i, ev.Events)
			}
		}
		return nil
	})
	err = g.Wait()
	w.took = created + time.Since(begin)
	return w, err
}

func watchKey(i int) string { return fmt.Sprintf("bench/watch/%05d", i) }

// inUse is what the process's heap and stacks hold after a collection.
func inUse() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapInuse + m.StackInuse)
}
