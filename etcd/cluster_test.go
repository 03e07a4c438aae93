package etcd

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
)

func TestMembersAreListedAddedPromotedUpdatedAndRemoved(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *etcdtest.Server, c *Client) {
		ctx := t.Context()
		list, err := c.Members(ctx, true)
		require.NoError(t, err)
		require.Len(t, list, 3)
		for _, m := range list {
			require.NotZero(t, m.ID)
			require.NotEmpty(t, m.Name)
			require.Len(t, m.PeerURLs, 1)
			require.NotEmpty(t, m.ClientURLs)
			require.False(t, m.Learner)
		}

		learner, err := c.AddLearner(ctx, "http://10.0.0.9:2380", "http://10.0.0.9:2381")
		require.NoError(t, err)
		require.True(t, learner.Learner)
		require.Empty(t, learner.Name)
		require.Equal(t, []string{"http://10.0.0.9:2380", "http://10.0.0.9:2381"}, learner.PeerURLs)
		require.NoError(t, c.UpdateMember(ctx, learner.ID, "http://10.0.0.10:2380"))
		require.Equal(t, []string{"http://10.0.0.10:2380"}, member(t, c, learner.ID).PeerURLs)
		require.NoError(t, c.RemoveMember(ctx, learner.ID))

		voter, err := c.AddMember(ctx, "http://10.0.0.9:2380")
		require.NoError(t, err)
		require.False(t, voter.Learner)
		require.NoError(t, c.RemoveMember(ctx, voter.ID))
		list, err = c.Members(ctx, false)
		require.NoError(t, err)
		require.Len(t, list, 3)
	}, etcdtest.WithMembers(3))
}

func member(t *testing.T, c *Client, id MemberID) Member {
	list, err := c.Members(t.Context(), true)
	require.NoError(t, err)
	for _, m := range list {
		if m.ID == id {
			return m
		}
	}
	require.Fail(t, "no such member", "%v", id)
	return Member{}
}

func TestErrorsOfMembershipSayWhatIsWrong(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *etcdtest.Server, c *Client) {
		ctx := t.Context()
		err := c.RemoveMember(ctx, 0xabc)
		require.ErrorIs(t, err, ErrMemberNotFound)
		require.ErrorContains(t, err, "member remove abc")
		require.ErrorIs(t, c.UpdateMember(ctx, 0xabc, "http://10.0.0.1:1"), ErrMemberNotFound)
		require.ErrorIs(t, c.PromoteMember(ctx, 0xabc), ErrMemberNotFound)
		_, err = c.AddMember(ctx)
		require.ErrorIs(t, err, ErrInvalid)
		for _, u := range []string{"", "10.0.0.1:2380", "http://user:canary@10.0.0.1:2380"} {
			_, err = c.AddLearner(ctx, u)
			require.ErrorIs(t, err, ErrInvalid, u)
			require.NotContains(t, err.Error(), "canary")
			require.ErrorIs(t, c.UpdateMember(ctx, 1, u), ErrInvalid)
		}
	})
}

func TestAMemberWhoseRemovalWasNotConfirmedIsRemovedOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *etcdtest.Server, c *Client) {
		m, err := c.AddLearner(t.Context(), "http://10.0.0.9:2380")
		require.NoError(t, err)
		srv.Inject(etcdtest.Fault{Path: "/v3/cluster/member/remove", LoseReply: true, Times: 1})
		require.NoError(t, c.RemoveMember(t.Context(), m.ID))
		list, err := c.Members(t.Context(), true)
		require.NoError(t, err)
		require.Len(t, list, 1)
	})
}

func TestAnAdditionThatWasNotConfirmedIsNotRepeated(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *etcdtest.Server, c *Client) {
		srv.Inject(etcdtest.Fault{Path: "/v3/cluster/member/add", LoseReply: true, Times: 1})
		_, err := c.AddLearner(t.Context(), "http://10.0.0.9:2380")
		require.ErrorIs(t, err, ErrUnknownOutcome)
		require.Equal(t, 1, srv.Requests()["/v3/cluster/member/add"])
	})
}

func TestTheLeaderHandsOverWhicheverEndpointItIs(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *etcdtest.Server, c *Client) {
		for range 2 {
			for i, st := range c.Statuses(t.Context()) {
				require.NoError(t, st.Err)
				require.NoError(t, c.MoveLeader(t.Context(), MemberID(st.Status.Header.MemberID)))
				require.Equal(t, i, srv.Leader())
				now, err := c.Status(t.Context(), st.Endpoint)
				require.NoError(t, err)
				require.True(t, now.IsLeader())
			}
		}
		err := c.MoveLeader(t.Context(), 0xabc)
		require.Error(t, err)
		require.ErrorContains(t, err, "move leader to abc")
	}, etcdtest.WithMembers(3))
}

func TestALeaderThatIsNoEndpointCannotBeMoved(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *etcdtest.Server, c *Client) {
		id := MemberID(0)
		for i, st := range c.Statuses(t.Context()) {
			require.NoError(t, st.Err)
			if i == 2 {
				id = MemberID(st.Status.Header.MemberID)
			}
		}
		require.NoError(t, c.MoveLeader(t.Context(), id))
		two := newTestClient(t, srv, func(cfg *Config) { cfg.Endpoints = cfg.Endpoints[:2] })
		require.ErrorIs(t, two.MoveLeader(t.Context(), id), ErrNotLeader)
	}, etcdtest.WithMembers(3))
}

func TestAChangeThatIsRefusedUntilTheMembersAreWellConnectedIsTriedAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *etcdtest.Server, c *Client) {
		srv.Inject(etcdtest.Fault{Path: "/v3/cluster/member/add", Times: 5, Refuse: &etcdtest.Error{Code: etcdtest.Unavailable, Message: "etcdserver: unhealthy cluster"}})
		_, err := c.AddLearner(t.Context(), "http://10.0.0.9:2380")
		require.NoError(t, err)

		srv.Inject(etcdtest.Fault{Path: "/v3/cluster/member/add", Refuse: &etcdtest.Error{Code: etcdtest.Unavailable, Message: "etcdserver: unhealthy cluster"}})
		_, err = c.AddLearner(t.Context(), "http://10.0.0.8:2380")
		require.ErrorIs(t, err, ErrUnavailable)
		require.NotErrorIs(t, err, ErrUnknownOutcome)
	})
}
