package admin

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/integration/cluster"
)

func TestEtcd34SaysWhichCallsItDoesNotKnow(t *testing.T) {
	cl := cluster.Start(t, cluster.Options{Version: "3.4"})
	c, err := etcd.New(etcd.Config{Endpoints: cl.Endpoints()})
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Close()) }()
	ctx, endpoint := t.Context(), cl.Endpoints()[0]
	_, err = c.AuthStatus(ctx)
	require.ErrorIs(t, err, etcd.ErrUnsupported)
	require.ErrorContains(t, err, "etcd 3.4.")
	_, err = c.HashKV(ctx, endpoint, 0)
	require.ErrorIs(t, err, etcd.ErrUnsupported)
	h, err := c.Hash(ctx, endpoint)
	require.NoError(t, err)
	require.NotZero(t, h.Hash)
}
