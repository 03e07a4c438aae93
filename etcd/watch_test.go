package etcd_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

// collect reads n events, or fails.
func collect(t *testing.T, w *etcd.Watcher, n int) []string {
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

func TestAWatchDeliversWhatHappensAfterItWasCreated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		c := newClient(t, etcdtest.Start(t))
		before, err := c.Put(ctx, "a", []byte("0"))
		require.NoError(t, err)

		w, err := c.Watch(ctx, etcd.Key("a"))
		require.NoError(t, err)
		defer w.Close()
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
