package etcd

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
)

func TestWhatMatchesIsRemovedUnderAnyKeyOfThePrefixAndNothingElse(t *testing.T) {
	bothWays(t, func(t *World, srv *etcdtest.Server, c *Client) {
		s, other := newTestSession(t, c), newTestSession(t, c)
		s.AbandonMatching("line/", func(kv KV) bool { return strings.HasPrefix(string(kv.Value), "for me") })
		s.AbandonMatching("line/", nil)
		s.Abandon("line/2", []byte("another value"))
		for key, put := range map[string]struct {
			value string
			lease LeaseID
		}{
			"line/1": {"for me", s.Lease()},
			"line/2": {"for me, too", s.Lease()},
			"line/3": {"for him", s.Lease()},
			"line/4": {"for me", other.Lease()},
			"line/5": {"for me", 0},
			"lines":  {"for me", s.Lease()},
		} {
			_, err := c.Put(t.Context(), key, []byte(put.value), WithLease(put.lease))
			require.NoError(t, err)
		}
		time.Sleep(time.Minute)
		require.Equal(t, []string{"line/3", "line/4", "line/5", "lines"}, srv.Keys(""))
	})
}
