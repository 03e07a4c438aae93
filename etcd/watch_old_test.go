package etcd_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

// Servers before 3.5.8 tell of progress before they have sent the events.
func TestAWatchLosesNothingWhereProgressOvertakesEvents(t *testing.T) {
	for _, version := range []string{"3.4.21", "3.5.7"} {
		t.Run(version, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := etcdtest.Start(t, etcdtest.WithVersion(version))
				c := newClient(t, srv)
				live := watch(t, c, etcd.Key("a"))
				for i := range 10 {
					srv.Put("a", fmt.Append(nil, i))
				}
				past, err := c.Watch(t.Context(), etcd.Key("a"), etcd.FromRevision(live.Created()+1))
				require.NoError(t, err)
				require.Equal(t, collect(t, live, 10), collect(t, past, 10))

				time.Sleep(time.Minute) // it has left the connection it caught up on
				require.Equal(t, 1, srv.WatchStreams())
				srv.DropWatches()
				srv.Put("a", []byte("dropped"))
				require.Equal(t, collect(t, live, 1), collect(t, past, 1))
			})
		})
	}
}
