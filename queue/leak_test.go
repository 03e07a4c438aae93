package queue

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

func TestAConsumerKeepsNothingOfWhatIsSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := etcdtest.Start(t)
		client, err := etcd.New(etcd.Config{Endpoints: srv.URLs(), Dial: srv.Dial})
		require.NoError(t, err)
		defer client.Close()
		s, err := etcd.NewSession(t.Context(), client)
		require.NoError(t, err)
		defer s.Close(context.Background())
		q := New[int](client, "q")
		c, err := q.Consumer(s, Prefetch(3))
		require.NoError(t, err)
		defer c.Close(context.Background())
		for i := range 300 {
			_, err := q.EnqueueMany(t.Context(), []int{1, 2, 3})
			require.NoError(t, err)
			for n := 0; n < 3; {
				ds, err := c.Receive(t.Context(), 3)
				require.NoError(t, err)
				n += len(ds)
				for _, d := range ds {
					switch i % 4 {
					case 0:
						err = d.Ack(t.Context())
					case 1:
						_, err = d.AckWith(t.Context(), etcd.Txn{})
					case 2:
						err = d.Dead(t.Context(), "x")
					case 3:
						err = d.Nack(t.Context(), 1000*time.Hour)
					}
					require.NoError(t, err)
				}
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		c.mu.Lock()
		defer c.mu.Unlock()
		require.Empty(t, c.claims)
		require.Empty(t, c.records)
		require.Empty(t, c.ended)
		require.Empty(t, c.finished)
		require.Empty(t, c.buf)
		require.Empty(t, c.notYet)
		require.LessOrEqual(t, len(c.view.soon), maxSoon)
	})
}
