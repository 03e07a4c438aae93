package etcd

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
)

func withPassword(password string) func(*Config) {
	return func(cfg *Config) { cfg.Username, cfg.Password, cfg.AllowInsecureAuth = "root", password, true }
}

// A server takes its time to check a password, on purpose. When one is changed,
// all processes that do not know the new one ask, and must not keep the server
// from answering others.
func TestASessionWhosePasswordIsWrongAsksSeldom(t *testing.T) {
	for _, ttl := range []time.Duration{5 * time.Second, DefaultSessionTTL, time.Minute} {
		t.Run(ttl.String(), func(t *testing.T) {
			BothWays(t, func(t *World) {
				srv := t.Start(etcdtest.WithMembers(3), etcdtest.WithAuth("secret"))
				c := newTestClient(t, srv, withPassword("secret"))
				s := newTestSession(t, c, WithTTL(ttl))
				require.NoError(t, c.UserChangePassword(t.Context(), "root", "other"))
				before := srv.Requests()[loginPath]
				<-s.Done()
				require.ErrorIs(t, s.Err(), ErrSessionExpired)
				require.ErrorIs(t, s.Err(), ErrUnauthenticated, "and it says why")
				require.LessOrEqual(t, srv.Requests()[loginPath]-before, 5)
			})
		})
	}
}

func TestASessionOutlivesAPasswordThatIsWrongForAWhile(t *testing.T) {
	EveryWay(t, func(t *World) {
		srv := t.Start(etcdtest.WithMembers(3), etcdtest.WithAuth("secret"))
		c := newTestClient(t, srv, withPassword("secret"))
		admin := newTestClient(t, srv, withPassword("other"))
		s := newTestSession(t, c)
		require.NoError(t, c.UserChangePassword(t.Context(), "root", "other"))
		time.Sleep(s.TTL() / 2)
		require.NoError(t, admin.UserChangePassword(t.Context(), "root", "secret"))
		time.Sleep(time.Minute)
		require.NoError(t, s.Err())
	})
}
