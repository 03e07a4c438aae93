package etcd_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

// writeCalls are the calls that may not be repeated. Each writes "k" once, if
// it is applied, of which the version tells.
var writeCalls = map[string]struct {
	path string
	call func(context.Context, *etcd.Client) error
	once func(testing.TB, *etcdtest.Server)
}{
	"put": {"/v3/kv/put", func(ctx context.Context, c *etcd.Client) error {
		_, err := c.Put(ctx, "k", []byte("new"))
		return err
	}, versionIs(2)},
	"delete": {"/v3/kv/deleterange", func(ctx context.Context, c *etcd.Client) error {
		_, err := c.Delete(ctx, etcd.Key("k"), etcd.WithPrev())
		return err
	}, func(t testing.TB, s *etcdtest.Server) { require.Empty(t, s.Keys("k")) }},
	"txn": {"/v3/kv/txn", func(ctx context.Context, c *etcd.Client) error {
		_, err := c.Txn(ctx, etcd.Txn{If: []etcd.Cmp{etcd.Exists(etcd.Key("k"))}, Then: []etcd.Op{etcd.Put("k", nil)}})
		return err
	}, versionIs(2)},
	"nested txn": {"/v3/kv/txn", func(ctx context.Context, c *etcd.Client) error {
		_, err := c.Txn(ctx, etcd.Txn{Then: []etcd.Op{etcd.Nest(etcd.Txn{Then: []etcd.Op{etcd.Put("k", nil)}})}})
		return err
	}, versionIs(2)},
}

func versionIs(n int64) func(testing.TB, *etcdtest.Server) {
	return func(t testing.TB, s *etcdtest.Server) {
		kv, ok := s.Get("k")
		require.True(t, ok)
		require.Equal(t, n, kv.Version)
	}
}

func TestAWriteWhoseReplyIsLostIsUnknownAndAppliedOnce(t *testing.T) {
	faults := map[string]etcdtest.Fault{"lost": {LoseReply: true}}
	for _, n := range []int{1, 20, 60} {
		faults[fmt.Sprint("cut after ", n)] = etcdtest.Fault{CutReply: n}
	}
	for _, r := range []struct {
		code etcdtest.Code
		msg  string
	}{
		{etcdtest.Canceled, "context canceled"}, {etcdtest.Unknown, "etcdserver: something else"},
		{etcdtest.DeadlineExceeded, "context deadline exceeded"}, {etcdtest.Internal, "transport: broken"},
		{etcdtest.Unavailable, "etcdserver: request timed out"}, {etcdtest.Unavailable, "etcdserver: leader changed"},
		{etcdtest.DataLoss, "lost"}, {etcdtest.ResourceExhausted, "etcdserver: mvcc: database space exceeded"},
		{etcdtest.Aborted, "aborted"}, {etcdtest.AlreadyExists, "there"},
	} {
		faults[fmt.Sprint(r.code, " ", r.msg)] = etcdtest.Fault{Commit: true, Refuse: &etcdtest.Error{Code: r.code, Message: r.msg}}
	}
	for name, r := range strangeReplies {
		if r.afterwards {
			faults[name] = etcdtest.Fault{Commit: true, Reply: r.reply}
		}
	}
	for name, fault := range faults {
		for what, write := range writeCalls {
			t.Run(what+", "+name, func(t *testing.T) {
				etcd.BothWays(t, func(t *etcd.World) {
					srv := t.Start(etcdtest.WithMembers(3))
					srv.Put("k", []byte("old"))
					c := newClient(t, srv, func(cfg *etcd.Config) { cfg.MaxReplyBytes = 1 << 20 })
					fault.Path = write.path
					fault.Times = 1
					f := srv.Inject(fault)
					err := write.call(context.Background(), c)
					require.Equal(t, 1, f.Hits())
					require.ErrorIs(t, err, etcd.ErrUnknownOutcome)
					require.False(t, etcd.SafeToRetry(err))
					write.once(t, srv)
					require.Equal(t, 1, srv.Requests()[write.path], "it was sent once")
				})
			})
		}
	}
}

func TestMembersOfABatchWhoseReplyIsLostAreUnknownAndAppliedOnce(t *testing.T) {
	for name, fault := range map[string]etcdtest.Fault{
		"lost": {LoseReply: true}, "cut": {CutReply: 100},
		"timed out": {Commit: true, Refuse: &etcdtest.Error{Code: etcdtest.Unavailable, Message: "etcdserver: request timed out"}},
		"too few":   {Commit: true, Reply: etcdtest.TextReply(200, "application/json", `{"header":{"revision":"9"},"succeeded":true,"responses":[{"response_put":{}}]}`)},
	} {
		t.Run(name, func(t *testing.T) {
			etcd.BothWays(t, func(t *etcd.World) {
				w := newCrowd(t, []etcdtest.Option{etcdtest.WithMembers(3)})
				var all []*outcome
				for i := range 20 {
					all = append(all, w.put(fmt.Sprint("k/", i), ""))
				}
				fault.Path, fault.Times = "/v3/kv/txn", 1
				w.srv.Inject(fault)
				w.leave()
				for i, o := range all {
					require.ErrorIs(t, o.err, etcd.ErrUnknownOutcome)
					require.ErrorContains(t, o.err, fmt.Sprintf(`put "k/%d"`, i))
				}
				requireWrittenOnce(t, w.srv, "k/", 20)
			})
		})
	}
}

func TestLeaseCallsAreRepeatedWhenTheirReplyIsLost(t *testing.T) {
	etcd.BothWays(t, func(t *etcd.World) {
		ctx := context.Background()
		srv := t.Start(etcdtest.WithMembers(3))
		c := newClient(t, srv)
		lose := func(path string) *etcdtest.Injected {
			return srv.Inject(etcdtest.Fault{Path: path, LoseReply: true, Times: 2})
		}
		f := lose("/v3/lease/grant")
		l, err := c.Grant(ctx, 60e9)
		require.NoError(t, err)
		require.Equal(t, 2, f.Hits())
		require.Len(t, srv.Leases(), 1)
		f = lose("/v3/lease/revoke")
		require.NoError(t, c.Revoke(ctx, l.ID))
		require.Equal(t, 2, f.Hits())
		require.Empty(t, srv.Leases())
	})
}

func TestARefusalAfterAnUnknownAttemptStaysUnknown(t *testing.T) {
	etcd.BothWays(t, func(t *etcd.World) {
		srv := t.Start()
		c := newClient(t, srv)
		srv.Inject(etcdtest.Fault{Path: "/v3/lease/grant", LoseReply: true, Times: 1})
		srv.Inject(etcdtest.Fault{Path: "/v3/lease/grant", Skip: 1, Refuse: &etcdtest.Error{Code: etcdtest.PermissionDenied, Message: "etcdserver: permission denied"}})
		_, err := c.Grant(context.Background(), 60e9)
		require.ErrorIs(t, err, etcd.ErrPermissionDenied)
		require.ErrorIs(t, err, etcd.ErrUnknownOutcome)
		require.Len(t, srv.Leases(), 1, "the refusal speaks only for itself")
	})
}

func TestARequestThatMayHaveBeenReadIsNotSentAgain(t *testing.T) {
	for what, write := range writeCalls {
		t.Run(what, func(t *testing.T) {
			etcd.BothWays(t, func(t *etcd.World) {
				srv := t.Start(etcdtest.WithMembers(3))
				srv.Put("k", nil)
				c := newClient(t, srv)
				f := srv.Inject(etcdtest.Fault{Path: write.path, LoseRequest: true})
				require.ErrorIs(t, write.call(context.Background(), c), etcd.ErrUnknownOutcome)
				require.Equal(t, 1, f.Hits())
			})
		})
	}
}
