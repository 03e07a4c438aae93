package etcd_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

const authPath = "/v3/auth/authenticate"

func asRoot(password string) func(*etcd.Config) {
	return func(cfg *etcd.Config) { cfg.Username, cfg.Password, cfg.AllowInsecureAuth = "root", password, true }
}

func TestAnExpiredTokenIsRenewedOnceForAllCallers(t *testing.T) {
	etcd.EveryWay(t, func(t *etcd.World) {
		ctx := context.Background()
		srv := t.Start(etcdtest.WithAuth("secret"), etcdtest.WithMembers(3))
		c := newClient(t, srv, asRoot("secret"))
		for round := range 4 {
			var wg sync.WaitGroup
			for i := range 100 {
				wg.Go(func() {
					_, err := c.Put(ctx, fmt.Sprint("k/", i), nil)
					require.NoError(t, err)
					_, err = c.Get(ctx, etcd.Key(fmt.Sprint("k/", i)), etcd.Alone())
					require.NoError(t, err)
				})
			}
			wg.Wait()
			require.Equal(t, round+1, srv.Requests()[authPath], "tokens fetched")
			srv.ExpireTokens()
		}
		for _, kv := range srv.KeyValues("k/") {
			require.EqualValues(t, 4, kv.Version, "what was refused for its token was not applied")
		}
	})
}

func TestALateRefusalOfAnOldTokenDoesNotDropTheNewOne(t *testing.T) {
	etcd.EveryWay(t, func(t *etcd.World) {
		ctx := context.Background()
		srv := t.Start(etcdtest.WithAuth("secret"))
		c := newClient(t, srv, asRoot("secret"))
		_, err := c.Put(ctx, "k", nil)
		require.NoError(t, err)
		srv.ExpireTokens()
		srv.Inject(etcdtest.Fault{Path: "/v3/kv/put", Times: 1, DelayReply: time.Second})
		var wg sync.WaitGroup
		wg.Go(func() { _, err := c.Put(ctx, "late", nil); require.NoError(t, err) })
		t.Settle()
		_, err = c.Put(ctx, "k", nil)
		require.NoError(t, err)
		wg.Wait()
		require.Equal(t, 2, srv.Requests()[authPath])
	})
}

func TestAWrongPasswordIsFinalAndNotRepeated(t *testing.T) {
	etcd.EveryWay(t, func(t *etcd.World) {
		srv := t.Start(etcdtest.WithAuth("secret"), etcdtest.WithMembers(3))
		c := newClient(t, srv, asRoot("guess-me-not"))
		begin := time.Now()
		_, err := c.Put(context.Background(), "k", nil)
		require.ErrorIs(t, err, etcd.ErrUnauthenticated)
		require.True(t, etcd.SafeToRetry(err))
		require.LessOrEqual(t, time.Since(begin), t.Slack(1))
		require.Equal(t, 1, srv.Requests()[authPath])
		require.NotContains(t, fmt.Sprintf("%+v %#v", err, err), "guess-me-not")
	})
}

func TestATokenRefusedForEverEndsTheCall(t *testing.T) {
	etcd.EveryWay(t, func(t *etcd.World) {
		srv := t.Start(etcdtest.WithAuth("secret"))
		c := newClient(t, srv, asRoot("secret"))
		srv.Inject(etcdtest.Fault{Path: "/v3/kv/put", Refuse: &etcdtest.Error{Code: etcdtest.Unauthenticated, Message: "etcdserver: invalid auth token"}})
		_, err := c.Put(context.Background(), "k", nil)
		require.ErrorIs(t, err, etcd.ErrUnauthenticated)
		require.True(t, etcd.SafeToRetry(err))
		require.Equal(t, 3, srv.Requests()[authPath])
	})
}

func TestTheTokenIsFetchedElsewhereWhereAMemberDoesNotAnswer(t *testing.T) {
	etcd.EveryWay(t, func(t *etcd.World) {
		srv := t.Start(etcdtest.WithAuth("secret"), etcdtest.WithMembers(3))
		c := newClient(t, srv, asRoot("secret"))
		srv.Inject(etcdtest.Fault{Members: []int{0}, Path: authPath, Hold: make(chan struct{})})
		begin := time.Now()
		_, err := c.Put(context.Background(), "k", nil)
		require.NoError(t, err)
		require.InDelta(t, 5*time.Second, time.Since(begin), float64(t.Slack(2)))
	})
}

func TestACallerInAHurryDoesNotEndTheFetchOfATokenForOthers(t *testing.T) {
	etcd.EveryWay(t, func(t *etcd.World) {
		srv := t.Start(etcdtest.WithAuth("secret"))
		c := newClient(t, srv, asRoot("secret"))
		srv.Inject(etcdtest.Fault{Path: authPath, Delay: 2 * time.Second})
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := c.Put(ctx, "hurry", nil)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.True(t, etcd.SafeToRetry(err), "only a token was asked for")
		})
		wg.Go(func() {
			_, err := c.Put(context.Background(), "patient", nil)
			require.NoError(t, err)
		})
		wg.Wait()
		require.Equal(t, 1, srv.Requests()[authPath])
	})
}

func TestCloseDoesNotWaitForATokenThatDoesNotCome(t *testing.T) {
	etcd.EveryWay(t, func(t *etcd.World) {
		srv := t.Start(etcdtest.WithAuth("secret"))
		c := newClient(t, srv, asRoot("secret"))
		srv.Inject(etcdtest.Fault{Path: authPath, Hold: make(chan struct{})})
		done := make(chan error)
		go func() { _, err := c.Put(context.Background(), "k", nil); done <- err }()
		t.Settle()
		begin := time.Now()
		require.NoError(t, c.Close())
		require.ErrorIs(t, <-done, etcd.ErrClosed)
		require.Zero(t, time.Since(begin))
	})
}

func TestHooksSeeEveryAttemptThatWasMade(t *testing.T) {
	etcd.EveryWay(t, func(t *etcd.World) {
		srv := t.Start(etcdtest.WithAuth("secret"), etcdtest.WithMembers(2))
		var seen []etcd.RequestInfo
		c := newClient(t, srv, asRoot("secret"), func(cfg *etcd.Config) {
			cfg.Hooks.Request = func(i etcd.RequestInfo) { seen = append(seen, i) }
		})
		srv.Inject(etcdtest.Fault{Path: "/v3/kv/put", Members: []int{0}, Delay: time.Second, Refuse: &etcdtest.Error{Code: etcdtest.Unavailable, Message: "etcdserver: no leader"}})
		_, err := c.Put(context.Background(), "k", []byte("v"))
		require.NoError(t, err)
		var got []string
		for _, i := range seen {
			got = append(got, fmt.Sprintf("%s %d %s %v", i.Op, i.Attempt, i.Endpoint[7:14], i.Duration.Truncate(time.Second)))
		}
		require.Equal(t, []string{"authenticate 1 member1 0s", "put 1 member1 1s", "put 2 member2 0s"}, got)
		require.Equal(t, len(`{"key":"aw==","value":"dg=="}`), seen[1].Sent)
		require.Positive(t, seen[2].Received)
		require.ErrorIs(t, seen[1].Err, etcd.ErrNoLeader)
		var e *etcd.Error
		require.True(t, errors.As(seen[1].Err, &e))
		require.Equal(t, `"k"`, e.On)
		require.True(t, strings.HasPrefix(seen[1].Err.Error(), `etcd: put "k" at http://member1`))

		seen = nil
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, err = c.Put(ctx, "k", nil)
		require.ErrorIs(t, err, context.Canceled)
		require.Empty(t, seen, "nothing was sent")
	})
}

func TestACallOutlivesAnOutageInWhichTokensAreRefusedAgainAndAgain(t *testing.T) {
	etcd.EveryWay(t, func(t *etcd.World) {
		srv := t.Start(etcdtest.WithAuth("secret"))
		c := newClient(t, srv, asRoot("secret"))
		asked := 0
		for turn, refusal := range []etcdtest.Error{
			{Code: etcdtest.Unauthenticated, Message: "etcdserver: invalid auth token"},
			{Code: etcdtest.Unavailable, Message: "etcdserver: no leader"},
		} {
			srv.Inject(etcdtest.Fault{
				Path:   "/v3/kv/put",
				Match:  func(*etcdtest.Request) bool { return asked%2 == turn },
				Refuse: &refusal,
				Times:  4,
			})
		}
		srv.Inject(etcdtest.Fault{Path: "/v3/kv/put", Match: func(*etcdtest.Request) bool { asked++; return false }})
		_, err := c.Put(t.Context(), "k", nil)
		require.NoError(t, err)
		require.Equal(t, 9, asked)
	})
}
