package etcd

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
)

func TestEachEndpointTellsItsOwnStatusAndOneThatIsDownItsOwnError(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *etcdtest.Server, c *Client) {
		srv.Kill(1)
		srv.Pause(2)
		begun := time.Now()
		all := c.Statuses(t.Context())
		require.Equal(t, DefaultAttemptTimeout, time.Since(begun), "all at once, each bounded")
		require.Len(t, all, 3)
		require.NoError(t, all[0].Err)
		st := all[0].Status
		require.Equal(t, "3.6.14", st.Version)
		require.NotZero(t, st.Header.MemberID)
		require.NotZero(t, st.RaftTerm)
		require.NotZero(t, st.RaftIndex)
		require.Positive(t, st.DBSize)
		for i, ep := range c.Endpoints() {
			require.Equal(t, ep, all[i].Endpoint)
			if i > 0 {
				require.ErrorIs(t, all[i].Err, ErrUnavailable)
				require.ErrorContains(t, all[i].Err, "status at "+ep)
				require.Nil(t, all[i].Status)
			}
		}
		srv.Resume(2)
	}, etcdtest.WithMembers(3), etcdtest.WithVersion("3.6.14"))
}

func TestAMemberWithoutALeaderTellsItsStatus(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *etcdtest.Server, c *Client) {
		srv.LoseQuorum()
		st, err := c.Status(t.Context(), srv.URL())
		require.NoError(t, err)
		require.Zero(t, st.Leader)
		require.False(t, st.IsLeader())
		require.NotEmpty(t, st.Errors)
		srv.RegainQuorum()
	})
}

func TestAnEndpointMustBeOneOfTheClients(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *etcdtest.Server, c *Client) {
		for _, ep := range []string{"", "http://10.0.0.1:2379", "http://u:canary@10.0.0.1", " x"} {
			_, err := c.Status(t.Context(), ep)
			require.ErrorIs(t, err, ErrInvalid, ep)
			require.NotContains(t, err.Error(), "canary")
			require.ErrorIs(t, c.Defragment(t.Context(), ep), ErrInvalid)
			_, err = c.Hash(t.Context(), ep)
			require.ErrorIs(t, err, ErrInvalid)
			_, err = c.HashKV(t.Context(), ep, 0)
			require.ErrorIs(t, err, ErrInvalid)
		}
		_, err := c.Status(t.Context(), "member1.etcdtest:2379")
		require.NoError(t, err, "with or without the scheme")
	})
}

func TestAlarmsAreListedAndDisarmed(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *etcdtest.Server, c *Client) {
		ctx := t.Context()
		list, err := c.Alarms(ctx)
		require.NoError(t, err)
		require.Empty(t, list)
		srv.SetNoSpace(true)
		_, err = c.Put(ctx, "k", nil)
		require.ErrorIs(t, err, ErrNoSpace)
		list, err = c.Alarms(ctx)
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.Equal(t, AlarmNoSpace, list[0].Type)
		require.Equal(t, "NOSPACE", list[0].Type.String())

		gone, err := c.DisarmAlarms(ctx)
		require.NoError(t, err)
		require.Equal(t, list, gone)
		_, err = c.Put(ctx, "k", nil)
		require.NoError(t, err)
		require.NoError(t, c.DisarmAlarm(ctx, list[0]), "twice is no error")
		require.ErrorIs(t, c.DisarmAlarm(ctx, Alarm{}), ErrInvalid)
		require.ErrorIs(t, c.DisarmAlarm(ctx, Alarm{Type: 9}), ErrInvalid)
	})
}

func TestHashesTellWhetherMembersAgree(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *etcdtest.Server, c *Client) {
		ctx := t.Context()
		_, err := c.Put(ctx, "k", []byte("v"))
		require.NoError(t, err)
		rev := srv.Revision()
		_, err = c.Put(ctx, "k", []byte("w"))
		require.NoError(t, err)
		var seen []uint32
		for _, ep := range c.Endpoints() {
			h, err := c.HashKV(ctx, ep, rev)
			require.NoError(t, err)
			require.NotZero(t, h.Hash)
			seen = append(seen, h.Hash)
			_, err = c.Hash(ctx, ep)
			require.NoError(t, err)
		}
		require.Equal(t, seen[0], seen[1])
		now, err := c.HashKV(ctx, srv.URL(), 0)
		require.NoError(t, err)
		require.NotEqual(t, seen[0], now.Hash)
		_, err = c.HashKV(ctx, srv.URL(), 1000)
		require.ErrorIs(t, err, ErrFutureRevision)
		_, err = c.HashKV(ctx, srv.URL(), -1)
		require.ErrorIs(t, err, ErrInvalid)
	}, etcdtest.WithMembers(2))
}

func TestDefragmentTakesAsLongAsItTakes(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *etcdtest.Server, c *Client) {
		srv.Inject(etcdtest.Fault{Path: "/v3/maintenance/defragment", Delay: 10 * time.Minute})
		begun := time.Now()
		require.NoError(t, c.Defragment(t.Context(), srv.URL()))
		require.Equal(t, 10*time.Minute, time.Since(begun))
	})
}
