package etcd_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

// collect reads n events, or fails.
func collect(t testing.TB, w *etcd.Watcher, n int) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var got []string
	for len(got) < n {
		batch, err := w.Next(ctx)
		require.NoError(t, err, "after %q", got)
		for _, ev := range batch.Events {
			got = append(got, show(ev))
		}
	}
	return got
}

func show(ev etcd.Event) string {
	return fmt.Sprintf("%s %s=%s@%d", ev.Type, ev.KV.Key, ev.KV.Value, ev.KV.ModRevision)
}

// watch makes a watch, or fails. It is closed with its client.
func watch(t testing.TB, c *etcd.Client, set etcd.KeySet, opts ...etcd.WatchOption) *etcd.Watcher {
	t.Helper()
	w, err := c.Watch(context.Background(), set, opts...)
	require.NoError(t, err)
	return w
}

// ended waits for the error that ends a watch.
func ended(t testing.TB, w *etcd.Watcher) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		if _, err := w.Next(ctx); err != nil {
			require.NoError(t, ctx.Err(), "the watch has not ended")
			_, again := w.Next(ctx)
			require.Equal(t, err, again, "the error repeats")
			return err
		}
	}
}

func TestAWatchDeliversWhatHappensAfterItWasCreated(t *testing.T) {
	etcd.BothWays(t, func(t *etcd.World) {
		ctx := context.Background()
		c := newClient(t, t.Start())
		before, err := c.Put(ctx, "a", []byte("0"))
		require.NoError(t, err)

		w := watch(t, c, etcd.Key("a"))
		require.Equal(t, before.Header.Revision, w.Created())

		_, err = c.Put(ctx, "a", []byte("1"))
		require.NoError(t, err)
		_, err = c.Put(ctx, "b", []byte("2"))
		require.NoError(t, err)
		_, err = c.Delete(ctx, etcd.Key("a"))
		require.NoError(t, err)
		r := before.Header.Revision
		require.Equal(t, []string{fmt.Sprintf("put a=1@%d", r+1), fmt.Sprintf("delete a=@%d", r+3)}, collect(t, w, 2))
	})
}

func TestAnEventReachesItsWaiterWithoutDelay(t *testing.T) {
	etcd.BothWays(t, func(t *etcd.World) {
		srv := t.Start()
		c := newClient(t, srv)
		w := watch(t, c, etcd.Key("a"))
		for range 50 {
			time.Sleep(777 * time.Millisecond)
			begin := time.Now()
			srv.Put("a", nil)
			collect(t, w, 1)
			require.LessOrEqual(t, time.Since(begin), t.Slack(1), "a timer stands in the way")
		}
	})
}

func TestAWatchFromAPastRevisionBeginsThere(t *testing.T) {
	etcd.BothWays(t, func(t *etcd.World) {
		srv := t.Start()
		c := newClient(t, srv)
		for i := range 9 {
			srv.Put("a", fmt.Append(nil, i))
		}
		w := watch(t, c, etcd.Key("a"), etcd.FromRevision(4))
		require.Equal(t, srv.Revision(), w.Created())
		require.Equal(t, expected(srv, etcd.Key("a"), 4, 10), collect(t, w, 7))
		srv.Put("a", nil)
		require.Equal(t, expected(srv, etcd.Key("a"), 11, 11), collect(t, w, 1))
	})
}

func TestAWatchFromARevisionToComeKeepsToItAcrossConnections(t *testing.T) {
	etcd.BothWays(t, func(t *etcd.World) {
		srv := t.Start()
		c := newClient(t, srv)
		for _, early := range []bool{false, true} {
			start := srv.Revision() + 20
			w := watch(t, c, etcd.Key("a"), etcd.FromRevision(start))
			other := watch(t, c, etcd.Key("b"), etcd.WithProgress())
			for range 19 {
				srv.Put("a", nil)
				if early {
					srv.DropWatches()
					time.Sleep(time.Second)
				}
			}
			time.Sleep(5 * time.Second)
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			batch, err := other.Next(ctx)
			require.NoError(t, err, "a watch of a revision to come keeps others from hearing of progress")
			require.NotZero(t, batch.Revision)
			cancel()
			require.Less(t, srv.Revision(), start)
			srv.Put("a", []byte("now"))
			require.Equal(t, []string{fmt.Sprintf("put a=now@%d", start)}, collect(t, w, 1))
		}
	})
}

func TestTheContextOfTheCreationDoesNotEndTheWatch(t *testing.T) {
	etcd.BothWays(t, func(t *etcd.World) {
		srv := t.Start()
		c := newClient(t, srv)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		w, err := c.Watch(ctx, etcd.Key("a"))
		require.NoError(t, err)
		cancel()
		time.Sleep(time.Minute)
		srv.Put("a", nil)
		require.Len(t, collect(t, w, 1), 1)
	})
}

func TestACallOfNextThatEndsLosesNothing(t *testing.T) {
	etcd.BothWays(t, func(t *etcd.World) {
		srv := t.Start()
		c := newClient(t, srv)
		w := watch(t, c, etcd.Key("a"))
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err := w.Next(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, `watch "a"`)
		srv.Put("a", nil)
		time.Sleep(time.Second)
		_, err = w.Next(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Len(t, collect(t, w, 1), 1)
	})
}

func TestAClosedWatchSaysSoAndIsCancelledAtTheServer(t *testing.T) {
	etcd.BothWays(t, func(t *etcd.World) {
		srv := t.Start()
		c := newClient(t, srv)
		w, kept := watch(t, c, etcd.Key("a")), watch(t, c, etcd.Key("a"))
		waiting := make(chan error)
		go func() {
			_, err := w.Next(context.Background())
			waiting <- err
		}()
		t.Settle()
		require.Equal(t, 2, srv.Watches())
		w.Close()
		w.Close()
		require.ErrorIs(t, <-waiting, etcd.ErrWatchClosed)
		require.ErrorIs(t, ended(t, w), etcd.ErrWatchClosed)
		t.Settle()
		require.Equal(t, 1, srv.Watches())
		srv.Put("a", nil)
		require.Len(t, collect(t, kept, 1), 1)
	})
}

func TestTheEndOfTheClientEndsItsWatchesAndLeavesNothingBehind(t *testing.T) {
	etcd.BothWays(t, func(t *etcd.World) {
		srv := t.Start()
		c := newClient(t, srv)
		var ws []*etcd.Watcher
		for i := range 20 {
			var opts []etcd.WatchOption
			switch i % 3 {
			case 1:
				opts = append(opts, etcd.Bulky())
			case 2:
				opts = append(opts, etcd.FromRevision(1))
			}
			ws = append(ws, watch(t, c, etcd.Key("a"), opts...))
		}
		require.NotZero(t, srv.Connections())
		require.NoError(t, c.Close())
		for _, w := range ws {
			require.ErrorIs(t, ended(t, w), etcd.ErrClosed)
			w.Close()
		}
		_, err := c.Watch(context.Background(), etcd.Key("a"))
		require.ErrorIs(t, err, etcd.ErrClosed)
		t.Settle()
		require.Zero(t, srv.Connections())
		// The bubble itself checks that no goroutine is left.
	})
}

func TestAWatchThatMakesNoSenseIsRefusedBeforeAnythingIsSent(t *testing.T) {
	srv := etcdtest.Start(t)
	c := newClient(t, srv)
	ctx := context.Background()
	for _, try := range []func() error{
		func() error { _, err := c.Watch(ctx, etcd.KeySet{}); return err },
		func() error { _, err := c.Watch(ctx, etcd.Range("b", "a")); return err },
		func() error { _, err := c.Watch(ctx, etcd.Key("a"), etcd.FromRevision(-1)); return err },
		func() error { _, err := c.Watch(ctx, etcd.Key("a"), etcd.PutsOnly(), etcd.DeletesOnly()); return err },
	} {
		err := try()
		require.ErrorIs(t, err, etcd.ErrInvalid)
		require.ErrorContains(t, err, "watch")
	}
	gone, cancel := context.WithCancelCause(ctx)
	cancel(errors.New("my reason"))
	_, err := c.Watch(gone, etcd.Key("a"), nil)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "my reason")
	require.Empty(t, srv.Requests())
}
