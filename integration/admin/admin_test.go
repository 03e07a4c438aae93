package admin

import (
	"bytes"
	"context"
	"crypto/sha256"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/embedded"
	"github.com/quorate/quorate/etcd"
)

func start(t *testing.T, members int) (*embedded.Cluster, *etcd.Client) {
	t.Helper()
	cluster, err := embedded.Start(t.Context(), embedded.Config{Members: members, UnsafeNoFsync: true})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		require.NoError(t, cluster.Stop(ctx))
	})
	return cluster, newClient(t, cluster, nil)
}

func newClient(t *testing.T, cluster *embedded.Cluster, change func(*etcd.Config)) *etcd.Client {
	t.Helper()
	cfg := etcd.Config{Endpoints: cluster.Endpoints()}
	if change != nil {
		change(&cfg)
	}
	c, err := etcd.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func TestLeasesAreGrantedRenewedShownAndRevoked(t *testing.T) {
	_, c := start(t, 1)
	ctx := t.Context()
	l, err := c.Grant(ctx, 90*time.Second)
	require.NoError(t, err)
	require.Equal(t, 90*time.Second, l.TTL)
	_, err = c.Put(ctx, "k", nil, etcd.WithLease(l.ID))
	require.NoError(t, err)
	info, err := c.TimeToLive(ctx, l.ID, etcd.WithKeys())
	require.NoError(t, err)
	require.Equal(t, []string{"k"}, info.Keys)
	require.Equal(t, 90*time.Second, info.Granted)
	require.Less(t, info.TTL, 90*time.Second)
	again, err := c.KeepAlive(ctx, l.ID)
	require.NoError(t, err)
	require.Equal(t, l.TTL, again.TTL)
	_, err = c.Grant(ctx, time.Minute, etcd.WithLeaseID(l.ID))
	require.ErrorIs(t, err, etcd.ErrLeaseExists)
	negative, err := c.Grant(ctx, 9_000_000_000*time.Second, etcd.WithLeaseID(math.MinInt64))
	require.NoError(t, err)
	ids, err := c.Leases(ctx)
	require.NoError(t, err)
	require.ElementsMatch(t, []etcd.LeaseID{l.ID, negative.ID}, ids)
	require.NoError(t, c.Revoke(ctx, l.ID))
	require.ErrorIs(t, c.Revoke(ctx, l.ID), etcd.ErrLeaseNotFound)
	_, err = c.KeepAlive(ctx, l.ID)
	require.ErrorIs(t, err, etcd.ErrLeaseNotFound)
	_, err = c.TimeToLive(ctx, l.ID)
	require.ErrorIs(t, err, etcd.ErrLeaseNotFound)
	_, err = c.Put(ctx, "k", nil, etcd.WithLease(l.ID))
	require.ErrorIs(t, err, etcd.ErrLeaseNotFound)
}

func TestASessionOutlivesTheMemberItTalksToAndNotItsLease(t *testing.T) {
	cluster, c := start(t, 3)
	ctx := t.Context()
	s, err := etcd.NewSession(ctx, c, etcd.WithTTL(6*time.Second))
	require.NoError(t, err)
	_, err = c.Put(ctx, "held", nil, etcd.WithLease(s.Lease()))
	require.NoError(t, err)
	// The endpoint in use goes, and with it perhaps the leader.
	require.NoError(t, cluster.StopMember(ctx, 0))
	for end := time.Now().Add(2 * s.TTL()); time.Now().Before(end); {
		before := s.Deadline()
		select {
		case <-s.Done():
			require.NoError(t, s.Err())
		case <-time.After(time.Until(before)):
		}
	}
	require.NoError(t, s.Err())
	require.NoError(t, cluster.StartMember(ctx, 0))

	s.Abandon("late", nil)
	_, err = c.Put(ctx, "late", nil, etcd.WithLease(s.Lease()))
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		r, err := c.Get(ctx, etcd.Key("late"))
		return err == nil && len(r.KVs) == 0
	}, 30*time.Second, 10*time.Millisecond)

	require.NoError(t, c.Revoke(ctx, s.Lease()))
	<-s.Done()
	require.ErrorIs(t, s.Err(), etcd.ErrSessionRevoked)
	require.NoError(t, s.Close(ctx))
	r, err := c.Get(ctx, etcd.Key("held"))
	require.NoError(t, err)
	require.Empty(t, r.KVs)
}

func TestASnapshotIsTheDatabaseAndItsChecksum(t *testing.T) {
	_, c := start(t, 1)
	for _, k := range []string{"a", "b", "c"} {
		_, err := c.Put(t.Context(), k, bytes.Repeat([]byte(k), 1<<20))
		require.NoError(t, err)
	}
	var out bytes.Buffer
	res, err := c.Snapshot(t.Context(), &out)
	require.NoError(t, err)
	require.Equal(t, int64(out.Len()), res.Bytes)
	data := out.Bytes()[:out.Len()-sha256.Size]
	require.Equal(t, res.SHA256[:], out.Bytes()[len(data):])
	require.Zero(t, len(data)%512)

	require.Equal(t, []byte{0xed, 0xda, 0x0c, 0xed}, data[16:20], "a bbolt file")
}

func TestMembersStatusAlarmsAndHashes(t *testing.T) {
	cluster, c := start(t, 3)
	ctx := t.Context()
	list, err := c.Members(ctx, true)
	require.NoError(t, err)
	require.Len(t, list, 3)
	for i, st := range c.Statuses(ctx) {
		require.NoError(t, st.Err)
		require.Equal(t, "3.7.3", st.Status.Version)
		require.NotEmpty(t, st.Status.StorageVersion) // it follows the version with a delay
		require.Equal(t, cluster.Leader() == i, st.Status.IsLeader())
		require.Positive(t, st.Status.DBSize)
		require.Positive(t, st.Status.DBSizeInUse)
		require.Positive(t, st.Status.Quota)
		require.NotZero(t, st.Status.RaftIndex)
		require.NotZero(t, st.Status.AppliedIndex)
	}
	put, err := c.Put(ctx, "k", []byte("v"))
	require.NoError(t, err)
	var hashes []uint32
	for _, ep := range c.Endpoints() {
		require.Eventually(t, func() bool {
			h, err := c.HashKV(ctx, ep, put.Header.Revision)
			if err == nil {
				hashes = append(hashes, h.Hash)
			}
			return err == nil
		}, 30*time.Second, 10*time.Millisecond)
		_, err = c.Hash(ctx, ep)
		require.NoError(t, err)
		require.NoError(t, c.Defragment(ctx, ep))
	}
	require.Equal(t, []uint32{hashes[0], hashes[0], hashes[0]}, hashes)
	_, err = c.HashKV(ctx, c.Endpoints()[0], 1<<40)
	require.ErrorIs(t, err, etcd.ErrFutureRevision)

	for _, m := range list {
		require.NoError(t, c.MoveLeader(ctx, m.ID))
	}
	require.ErrorContains(t, c.MoveLeader(ctx, 1), "bad leader transferee")

	learner, err := c.AddLearner(ctx, "http://127.0.0.1:1")
	require.NoError(t, err)
	require.True(t, learner.Learner)
	require.NoError(t, c.UpdateMember(ctx, learner.ID, "http://127.0.0.1:2"))
	require.ErrorContains(t, c.PromoteMember(ctx, learner.ID), "in sync with leader")
	_, err = c.AddMember(ctx, "http://127.0.0.1:2")
	require.ErrorContains(t, err, "Peer URLs already exists")
	require.NoError(t, c.RemoveMember(ctx, learner.ID))
	require.ErrorIs(t, c.RemoveMember(ctx, learner.ID), etcd.ErrMemberNotFound)

	alarms, err := c.DisarmAlarms(ctx)
	require.NoError(t, err)
	require.Empty(t, alarms)
	require.NoError(t, c.DisarmAlarm(ctx, etcd.Alarm{Member: list[0].ID, Type: etcd.AlarmNoSpace}))
}

func TestUsersRolesAndTheSwitch(t *testing.T) {
	cluster, c := start(t, 1)
	ctx := t.Context()
	st, err := c.AuthStatus(ctx)
	require.NoError(t, err)
	require.False(t, st.Enabled)
	require.NoError(t, c.UserAdd(ctx, "root", "rootpw"))
	require.NoError(t, c.RoleAdd(ctx, "root"))
	require.NoError(t, c.UserGrantRole(ctx, "root", "root"))
	require.NoError(t, c.UserGrantRole(ctx, "root", "root"), "twice is no error")
	require.NoError(t, c.UserAdd(ctx, "cert", "", etcd.NoPassword()))
	require.NoError(t, c.UserAdd(ctx, "ann", "x"))
	require.NoError(t, c.UserChangePassword(ctx, "ann", "annpw"))
	require.ErrorIs(t, c.UserAdd(ctx, "ann", "x"), etcd.ErrUserExists)
	require.NoError(t, c.RoleAdd(ctx, "app"))
	require.ErrorIs(t, c.RoleAdd(ctx, "app"), etcd.ErrRoleExists)
	sets := []etcd.KeySet{etcd.Key("k"), etcd.Range("a", "c"), etcd.Prefix("app/"), etcd.From("x")}
	for _, set := range sets {
		require.NoError(t, c.RoleGrant(ctx, "app", set, etcd.ReadWrite))
	}
	require.NoError(t, c.RoleGrant(ctx, "app", etcd.Key("r"), etcd.Read))
	require.NoError(t, c.RoleGrant(ctx, "app", etcd.Key("w"), etcd.Write))
	role, err := c.Role(ctx, "app")
	require.NoError(t, err)
	want := []etcd.Grant{{Keys: etcd.Key("r"), Permission: etcd.Read}, {Keys: etcd.Key("w"), Permission: etcd.Write}}
	for _, set := range sets {
		want = append(want, etcd.Grant{Keys: set, Permission: etcd.ReadWrite})
	}
	require.ElementsMatch(t, want, role.Grants)
	require.NoError(t, c.RoleRevoke(ctx, "app", etcd.From("x")))
	require.ErrorIs(t, c.RoleRevoke(ctx, "app", etcd.From("x")), etcd.ErrNotGranted)
	require.NoError(t, c.UserGrantRole(ctx, "ann", "app"))
	users, err := c.Users(ctx)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"ann", "cert", "root"}, users)
	require.NoError(t, c.AuthEnable(ctx))

	_, err = c.Get(ctx, etcd.Key("k"))
	require.ErrorIs(t, err, etcd.ErrUnauthenticated)
	ann := newClient(t, cluster, func(cfg *etcd.Config) { cfg.Username, cfg.Password = "ann", "annpw" })
	root := newClient(t, cluster, func(cfg *etcd.Config) { cfg.Username, cfg.Password = "root", "rootpw" })
	wrong := newClient(t, cluster, func(cfg *etcd.Config) { cfg.Username, cfg.Password = "ann", "no" })
	_, err = wrong.Get(ctx, etcd.Key("k"))
	require.ErrorIs(t, err, etcd.ErrUnauthenticated)
	_, err = ann.Put(ctx, "x", nil)
	require.ErrorIs(t, err, etcd.ErrPermissionDenied)
	s, err := etcd.NewSession(ctx, ann)
	require.NoError(t, err)
	s.Abandon("app/late", nil)
	_, err = ann.Put(ctx, "app/late", nil, etcd.WithLease(s.Lease()))
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		r, err := ann.Get(ctx, etcd.Key("app/late"))
		return err == nil && len(r.KVs) == 0
	}, 30*time.Second, 10*time.Millisecond)
	require.NoError(t, s.Close(ctx))
	require.ErrorIs(t, ann.UserDelete(ctx, "root"), etcd.ErrPermissionDenied)

	require.NoError(t, root.AuthEnable(ctx), "twice is no error")
	st, err = root.AuthStatus(ctx)
	require.NoError(t, err)
	require.True(t, st.Enabled)
	user, err := root.User(ctx, "ann")
	require.NoError(t, err)
	require.Equal(t, []string{"app"}, user.Roles)
	require.NoError(t, root.UserRevokeRole(ctx, "ann", "app"))
	require.ErrorIs(t, root.UserRevokeRole(ctx, "ann", "app"), etcd.ErrNotGranted)
	require.NoError(t, root.RoleDelete(ctx, "app"))
	require.ErrorIs(t, root.RoleDelete(ctx, "app"), etcd.ErrRoleNotFound)
	require.NoError(t, root.UserDelete(ctx, "ann"))
	require.ErrorIs(t, root.UserDelete(ctx, "ann"), etcd.ErrUserNotFound)
	_, err = root.User(ctx, "ann")
	require.ErrorIs(t, err, etcd.ErrUserNotFound)
	_, err = root.Snapshot(ctx, new(bytes.Buffer))
	require.NoError(t, err)
	require.NoError(t, root.AuthDisable(ctx))
	_, err = c.Get(ctx, etcd.Key("k"))
	require.NoError(t, err)
}
