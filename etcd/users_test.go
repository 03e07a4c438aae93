package etcd

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/etcdtest"
)

func TestUsersAndRolesAreMadeGrantedShownAndTakenAway(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *etcdtest.Server, c *Client) {
		ctx := t.Context()
		require.NoError(t, c.UserAdd(ctx, "ann", "secret"))
		require.NoError(t, c.UserAdd(ctx, "cert", "", NoPassword()))
		require.NoError(t, c.RoleAdd(ctx, "reader"))
		require.NoError(t, c.RoleAdd(ctx, "writer"))
		sets := []KeySet{Key("k"), Range("a", "c"), Prefix("app/"), From("x"), All()}
		for _, set := range sets {
			require.NoError(t, c.RoleGrant(ctx, "writer", set, ReadWrite))
		}
		require.NoError(t, c.RoleGrant(ctx, "reader", Key("k"), Read))
		require.NoError(t, c.RoleGrant(ctx, "reader", Key("w"), Write))
		require.NoError(t, c.UserGrantRole(ctx, "ann", "reader"))
		require.NoError(t, c.UserGrantRole(ctx, "ann", "writer"))
		require.NoError(t, c.UserGrantRole(ctx, "ann", "writer"), "twice is no error")

		users, err := c.Users(ctx)
		require.NoError(t, err)
		require.ElementsMatch(t, []string{"ann", "cert"}, users)
		roles, err := c.Roles(ctx)
		require.NoError(t, err)
		require.ElementsMatch(t, []string{"reader", "writer"}, roles)
		ann, err := c.User(ctx, "ann")
		require.NoError(t, err)
		require.Equal(t, &User{Name: "ann", Roles: []string{"reader", "writer"}}, ann)
		writer, err := c.Role(ctx, "writer")
		require.NoError(t, err)
		var got []KeySet
		for _, g := range writer.Grants {
			require.Equal(t, ReadWrite, g.Permission)
			got = append(got, g.Keys)
		}
		require.ElementsMatch(t, sets, got, "each as it was granted")
		reader, err := c.Role(ctx, "reader")
		require.NoError(t, err)
		require.ElementsMatch(t, []Grant{{Key("k"), Read}, {Key("w"), Write}}, reader.Grants)

		require.NoError(t, c.RoleRevoke(ctx, "writer", Prefix("app/")))
		require.ErrorIs(t, c.RoleRevoke(ctx, "writer", Prefix("app/")), ErrNotGranted)
		require.NoError(t, c.UserRevokeRole(ctx, "ann", "writer"))
		require.ErrorIs(t, c.UserRevokeRole(ctx, "ann", "writer"), ErrNotGranted)
		require.NoError(t, c.RoleDelete(ctx, "writer"))
		require.NoError(t, c.UserChangePassword(ctx, "ann", "other"))
		require.NoError(t, c.UserDelete(ctx, "ann"))

		require.ErrorIs(t, c.RoleDelete(ctx, "writer"), ErrRoleNotFound)
		require.ErrorIs(t, c.UserDelete(ctx, "ann"), ErrUserNotFound)
		_, err = c.User(ctx, "ann")
		require.ErrorIs(t, err, ErrUserNotFound)
		_, err = c.Role(ctx, "writer")
		require.ErrorIs(t, err, ErrRoleNotFound)
		require.ErrorIs(t, c.UserAdd(ctx, "cert", "x"), ErrUserExists)
		require.ErrorIs(t, c.RoleAdd(ctx, "reader"), ErrRoleExists)
	})
}

func TestAuthenticationIsSwitchedOnAndOffAndDecidesWhoMayWhat(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *etcdtest.Server, c *Client) {
		ctx := t.Context()
		st, err := c.AuthStatus(ctx)
		require.NoError(t, err)
		require.False(t, st.Enabled)
		require.NoError(t, c.UserAdd(ctx, "root", "rootpw"))
		require.NoError(t, c.RoleAdd(ctx, "root"))
		require.NoError(t, c.UserGrantRole(ctx, "root", "root"))
		require.NoError(t, c.UserAdd(ctx, "ann", "annpw"))
		require.NoError(t, c.RoleAdd(ctx, "app"))
		require.NoError(t, c.RoleGrant(ctx, "app", Prefix("app/"), ReadWrite))
		require.NoError(t, c.UserGrantRole(ctx, "ann", "app"))
		require.NoError(t, c.AuthEnable(ctx))

		_, err = c.Put(ctx, "app/k", nil)
		require.ErrorIs(t, err, ErrUnauthenticated)
		root := newTestClient(t, srv, func(cfg *Config) { cfg.Username, cfg.Password, cfg.AllowInsecureAuth = "root", "rootpw", true })
		ann := newTestClient(t, srv, func(cfg *Config) { cfg.Username, cfg.Password, cfg.AllowInsecureAuth = "ann", "annpw", true })
		st, err = root.AuthStatus(ctx)
		require.NoError(t, err)
		require.True(t, st.Enabled)
		require.NotZero(t, st.Revision)
		_, err = ann.Put(ctx, "app/k", nil)
		require.NoError(t, err)
		_, err = ann.Put(ctx, "other", nil)
		require.ErrorIs(t, err, ErrPermissionDenied)
		require.ErrorIs(t, ann.UserDelete(ctx, "root"), ErrPermissionDenied)

		s := newTestSession(t, ann)
		srv.ExpireTokens()
		require.NoError(t, s.Close(ctx), "a new token is fetched")
		wrong := newTestClient(t, srv, func(cfg *Config) { cfg.Username, cfg.Password, cfg.AllowInsecureAuth = "ann", "no", true })
		_, err = wrong.Put(ctx, "app/k", nil)
		require.ErrorIs(t, err, ErrUnauthenticated)
		require.NoError(t, root.AuthDisable(ctx))
		_, err = c.Put(ctx, "other", nil)
		require.NoError(t, err)
	})
}

func TestASessionRenewsWithANewTokenWhenItsOwnHasEnded(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *etcdtest.Server, _ *Client) {
		c := newTestClient(t, srv, func(cfg *Config) { cfg.Username, cfg.Password, cfg.AllowInsecureAuth = "root", "rootpw", true })
		s := newTestSession(t, c)
		for range 10 {
			srv.ExpireTokens()
			time.Sleep(s.TTL())
			require.NoError(t, s.Err())
		}
	}, etcdtest.WithAuth("rootpw"))
}

func TestRoleGrantsThroughANamespaceStayInIt(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *etcdtest.Server, c *Client) {
		ctx := t.Context()
		inside := newTestClient(t, srv, func(cfg *Config) { cfg.Namespace = "app/" })
		require.NoError(t, inside.RoleAdd(ctx, "r"))
		granted := map[KeySet]KeySet{
			Key("k"):        Key("app/k"),
			Prefix("p"):     Prefix("app/p"),
			Range("a", "c"): Range("app/a", "app/c"),
			From("x"):       Range("app/x", "app0"),
			All():           Range("app/\x00", "app0"), // an empty key is no key
		}
		for set := range granted {
			require.NoError(t, inside.RoleGrant(ctx, "r", set, Read))
		}
		role, err := c.Role(ctx, "r")
		require.NoError(t, err)
		require.Len(t, role.Grants, len(granted))
		for _, g := range role.Grants {
			require.Contains(t, values(granted), g.Keys, "as the whole cluster sees it")
		}
		role, err = inside.Role(ctx, "r")
		require.NoError(t, err)
		require.Len(t, role.Grants, len(granted))
		for _, g := range role.Grants {
			require.Contains(t, granted, g.Keys, "as it was granted")
		}

		require.NoError(t, c.RoleAdd(ctx, "outside"))
		for _, set := range []KeySet{Key("app"), Key("b"), Prefix("b"), Range("app0", "z")} {
			require.NoError(t, c.RoleGrant(ctx, "outside", set, Read))
		}
		role, err = inside.Role(ctx, "outside")
		require.NoError(t, err)
		require.Empty(t, role.Grants)
		require.NoError(t, c.RoleGrant(ctx, "outside", From("a"), Read))
		role, err = inside.Role(ctx, "outside")
		require.NoError(t, err)
		require.Equal(t, []Grant{{All(), Read}}, role.Grants, "cut to the namespace")
		for set := range granted {
			require.NoError(t, inside.RoleRevoke(ctx, "r", set))
		}
	})
}

func values(m map[KeySet]KeySet) []KeySet {
	var out []KeySet
	for _, v := range m {
		out = append(out, v)
	}
	return out
}

func TestNamesAndPasswordsThatMakeNoSenseAreRefusedAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *etcdtest.Server, c *Client) {
		ctx := t.Context()
		_, errUser := c.User(ctx, "")
		_, errRole := c.Role(ctx, "")
		for i, err := range []error{
			c.UserAdd(ctx, "", "canary"), c.UserAdd(ctx, "u", ""), c.UserAdd(ctx, "u", "canary", NoPassword()),
			c.UserDelete(ctx, ""), c.UserChangePassword(ctx, "", "canary"), c.UserChangePassword(ctx, "u", ""),
			c.UserGrantRole(ctx, "", "r"), c.UserGrantRole(ctx, "u", ""), c.UserRevokeRole(ctx, "", "r"), c.UserRevokeRole(ctx, "u", ""),
			c.RoleAdd(ctx, ""), c.RoleDelete(ctx, ""), c.RoleGrant(ctx, "", Key("k"), Read), c.RoleGrant(ctx, "r", KeySet{}, Read),
			c.RoleGrant(ctx, "r", Key(""), Read), c.RoleGrant(ctx, "r", Key("k"), 9), c.RoleRevoke(ctx, "", Key("k")),
			c.RoleRevoke(ctx, "r", Range("b", "a")), errUser, errRole,
		} {
			require.ErrorIs(t, err, ErrInvalid, "%d", i)
			require.NotContains(t, err.Error(), "canary")
		}
		require.Empty(t, srv.Requests())
	})
}

func TestARemovalThatWasNotConfirmedIsDoneOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *etcdtest.Server, c *Client) {
		ctx := t.Context()
		require.NoError(t, c.UserAdd(ctx, "u", "p"))
		require.NoError(t, c.RoleAdd(ctx, "r"))
		require.NoError(t, c.RoleGrant(ctx, "r", Key("k"), Read))
		require.NoError(t, c.UserGrantRole(ctx, "u", "r"))
		for _, path := range []string{"user/revoke", "role/revoke", "user/delete", "role/delete", "user/add"} {
			srv.Inject(etcdtest.Fault{Path: "/v3/auth/" + path, LoseReply: true, Times: 1})
		}
		require.NoError(t, c.UserRevokeRole(ctx, "u", "r"))
		require.NoError(t, c.RoleRevoke(ctx, "r", Key("k")))
		require.NoError(t, c.UserDelete(ctx, "u"))
		require.NoError(t, c.RoleDelete(ctx, "r"))
		require.ErrorIs(t, c.UserAdd(ctx, "v", "p"), ErrUnknownOutcome, "whose password it has nobody can tell")
	})
}
