package etcd_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
)

func TestAllYieldsEventsAndThenTheError(t *testing.T) {
	etcd.BothWays(t, func(t *etcd.World) {
		srv := t.Start()
		c := newClient(t, srv)
		w := watch(t, c, etcd.Prefix("a/"))
		srv.Put("a/1", nil)
		srv.Put("a/2", nil)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		var keys []string
		var last error
		for ev, err := range w.All(ctx) {
			if err != nil {
				last = err
				continue
			}
			keys = append(keys, ev.KV.Key)
		}
		require.Equal(t, []string{"a/1", "a/2"}, keys)
		require.ErrorIs(t, last, context.DeadlineExceeded)
	})
}

func TestEventsTellCreationsAndWhatWasBeforeAndCanBeFiltered(t *testing.T) {
	etcd.BothWays(t, func(t *etcd.World) {
		srv := t.Start()
		c := newClient(t, srv)
		all := watch(t, c, etcd.Key("a"), etcd.WithPrev())
		puts := watch(t, c, etcd.Key("a"), etcd.PutsOnly())
		deletes := watch(t, c, etcd.Key("a"), etcd.DeletesOnly())
		srv.Put("a", []byte("1"))
		srv.Put("a", []byte("2"))
		srv.Delete("a")
		ctx := context.Background()
		var got []etcd.Event
		for ev, err := range all.All(ctx) {
			require.NoError(t, err)
			if got = append(got, ev); len(got) == 3 {
				break
			}
		}
		require.True(t, got[0].IsCreate())
		require.Nil(t, got[0].Prev)
		require.False(t, got[1].IsCreate())
		require.Equal(t, "1", string(got[1].Prev.Value))
		require.Equal(t, etcd.EventDelete, got[2].Type)
		require.False(t, got[2].IsCreate())
		require.Equal(t, "2", string(got[2].Prev.Value))
		require.Equal(t, got[2].KV.ModRevision, got[2].Revision())

		require.Equal(t, []string{"put a=1@2", "put a=2@3"}, collect(t, puts, 2))
		require.Equal(t, []string{"delete a=@4"}, collect(t, deletes, 1))
	})
}

func TestTheNamespaceIsPutBeforeKeysAndTakenOffEvents(t *testing.T) {
	etcd.BothWays(t, func(t *etcd.World) {
		srv := t.Start()
		c := newClient(t, srv, func(cfg *etcd.Config) { cfg.Namespace = "ns/" })
		w := watch(t, c, etcd.All(), etcd.WithPrev())
		srv.Put("other", nil)
		srv.Put("ns/a", []byte("1"))
		srv.Put("nt", nil)
		srv.Put("ns/a", []byte("2"))
		require.Equal(t, []string{"put a=1@3", "put a=2@5"}, collect(t, w, 2))
	})
}

func TestProgressIsToldWhereItWasAskedFor(t *testing.T) {
	etcd.BothWays(t, func(t *etcd.World) {
		srv := t.Start()
		c := newClient(t, srv)
		w := watch(t, c, etcd.Key("a"), etcd.WithProgress())
		quiet := watch(t, c, etcd.Key("a"))
		srv.Put("b", nil)
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		batch, err := w.Next(ctx)
		require.NoError(t, err)
		require.Equal(t, etcd.Events{Revision: srv.Revision()}, batch)
		_, err = w.Next(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded, "no progress was made")
		_, err = quiet.Next(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded, "it was not asked for")
	})
}
