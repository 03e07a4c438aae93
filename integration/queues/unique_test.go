//go:build unix

package queues

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/integration/cluster"
	"github.com/quorate/quorate/queue"
)

// That a unique key is free is a comparison of a range in which nothing stands,
// which servers have their own ideas of.
func TestUniqueKeysAreComparedByTheServerAsTheyAreMeant(t *testing.T) {
	cl := cluster.Start(t, cluster.Options{})
	c := newClient(t, cl, 0)
	q := queue.New[string](c, name)
	outbox := func(opts ...queue.EnqueueOption) bool {
		_, op, err := q.EnqueueOp("outbox", opts...)
		require.NoError(t, err)
		res, err := c.Txn(t.Context(), etcd.Txn{Then: []etcd.Op{op}})
		require.NoError(t, err)
		return res.Results[0].Txn.Succeeded
	}
	owner, err := q.Enqueue(t.Context(), "x", queue.Unique("done"))
	require.NoError(t, err)
	_, err = q.Enqueue(t.Context(), "x", queue.UniqueFor("done", time.Hour))
	var dup *queue.DuplicateError
	require.ErrorAs(t, err, &dup)
	require.Equal(t, owner, dup.Owner)
	require.False(t, outbox(queue.Unique("done")))

	require.True(t, outbox(queue.UniqueFor("window", time.Hour)))
	require.False(t, outbox(queue.Unique("window")))
	require.True(t, outbox(queue.UniqueFor("over", time.Millisecond)))
	time.Sleep(5 * time.Millisecond)
	require.True(t, outbox(queue.Unique("over")))
	require.False(t, outbox(queue.UniqueFor("over", time.Millisecond)), "that one is not done")
	st, err := q.Stats(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 4, st.Ready)
}
