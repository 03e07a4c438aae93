package etcd

import (
	"context"
	"errors"

	"github.com/quorate/quorate/internal/jsonwire"
)

// Users, roles and the switch are the whole cluster's. The errors and logs of
// these calls show names and never a password.

// An AuthState says whether the cluster asks for authentication.
type AuthState struct {
	Header   Header
	Enabled  bool   // whether it is switched on
	Revision uint64 // grows with every change of users and roles
}

// AuthEnable switches authentication on. The user "root" with the role "root"
// must exist; from then on a client without credentials can do nothing.
func (c *Client) AuthEnable(ctx context.Context) error {
	return c.admin(ctx, "auth enable", "", "/v3/auth/enable", object(nil), modeRepeatable)
}

// AuthDisable switches authentication off.
func (c *Client) AuthDisable(ctx context.Context) error {
	return c.admin(ctx, "auth disable", "", "/v3/auth/disable", object(nil), modeRepeatable)
}

// AuthStatus says whether authentication is on. etcd 3.4 gives ErrUnsupported.
func (c *Client) AuthStatus(ctx context.Context) (*AuthState, error) {
	r := &request{op: "auth status", path: "/v3/auth/status", body: []byte("{}"), mode: modeRead}
	var s *AuthState
	err := c.do(ctx, r, func(rd *jsonwire.Reader) error {
		s = new(AuthState)
		d := decoder{rd, 0}
		for name := range d.Object {
			switch string(name) {
			case "header":
				d.header(&s.Header)
			case "enabled":
				s.Enabled = d.Bool()
			case "authRevision":
				s.Revision = d.Uint64()
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// A UserAddOption changes how UserAdd makes a user.
type UserAddOption interface{ applyUserAdd(*userAddOptions) }

type userAddOptions struct{ noPassword bool }

type noPassword struct{}

func (noPassword) applyUserAdd(o *userAddOptions) { o.noPassword = true }

// NoPassword makes a user without a password, who can only be known by the
// common name of a client certificate.
func NoPassword() UserAddOption { return noPassword{} }

// UserAdd makes a user without roles. One that is there already gives
// ErrUserExists; if the error answers ErrUnknownOutcome too, an earlier attempt
// of this call may have made it.
func (c *Client) UserAdd(ctx context.Context, name, password string, opts ...UserAddOption) error {
	const op = "user add"
	var o userAddOptions
	for _, opt := range opts {
		if opt != nil {
			opt.applyUserAdd(&o)
		}
	}
	switch {
	case name == "":
		return invalid(op, "", errNoUser)
	case o.noPassword && password != "":
		return invalid(op, quoteKey(name), errors.New("NoPassword goes without a password"))
	case !o.noPassword && password == "":
		return invalid(op, quoteKey(name), errors.New("empty password: use NoPassword for a user without one"))
	}
	f := object(nil)
	f.text("name", name)
	if o.noPassword {
		f.name("options")
		f.b = append(f.b, `{"no_password":true}`...)
	} else {
		f.text("password", password)
	}
	r := &request{op: op, on: quoteKey(name), path: "/v3/auth/user/add", body: f.end(), mode: modeWrite, secret: password}
	return c.do(ctx, r, ignoreReply)
}

// UserDelete removes a user. One that is not there gives ErrUserNotFound.
func (c *Client) UserDelete(ctx context.Context, name string) error {
	const op = "user delete"
	if name == "" {
		return invalid(op, "", errNoUser)
	}
	f := object(nil)
	f.text("name", name)
	err := c.admin(ctx, op, quoteKey(name), "/v3/auth/user/delete", f, modeRepeatable)
	return goneIsDone(err, ErrUserNotFound)
}

// UserChangePassword gives a user another password.
func (c *Client) UserChangePassword(ctx context.Context, name, password string) error {
	const op = "user change password"
	switch {
	case name == "":
		return invalid(op, "", errNoUser)
	case password == "":
		return invalid(op, quoteKey(name), errors.New("empty password"))
	}
	f := object(nil)
	f.text("name", name)
	f.text("password", password)
	r := &request{op: op, on: quoteKey(name), path: "/v3/auth/user/changepw", body: f.end(), mode: modeRepeatable, secret: password}
	return c.do(ctx, r, ignoreReply)
}

// UserGrantRole gives a user a role; one that the user has is no error.
func (c *Client) UserGrantRole(ctx context.Context, user, role string) error {
	const op = "user grant role"
	if user == "" || role == "" {
		return invalid(op, "", errNoName)
	}
	f := object(nil)
	f.text("user", user)
	f.text("role", role)
	return c.admin(ctx, op, quoteKey(role)+" to "+quoteKey(user), "/v3/auth/user/grant", f, modeRepeatable)
}

// UserRevokeRole takes a role from a user. One that the user does not have
// gives ErrNotGranted.
func (c *Client) UserRevokeRole(ctx context.Context, user, role string) error {
	const op = "user revoke role"
	if user == "" || role == "" {
		return invalid(op, "", errNoName)
	}
	f := object(nil)
	f.text("name", user)
	f.text("role", role)
	err := c.admin(ctx, op, quoteKey(role)+" of "+quoteKey(user), "/v3/auth/user/revoke", f, modeRepeatable)
	return goneIsDone(err, ErrNotGranted)
}

// Users lists the names of all users.
func (c *Client) Users(ctx context.Context) ([]string, error) {
	return c.names(ctx, "user list", "", "/v3/auth/user/list", "users", object(nil))
}

// A User is a user's name and roles.
type User struct {
	Name  string
	Roles []string
}

// User gives a user's roles. One that is not there gives ErrUserNotFound.
func (c *Client) User(ctx context.Context, name string) (*User, error) {
	const op = "user get"
	if name == "" {
		return nil, invalid(op, "", errNoUser)
	}
	f := object(nil)
	f.text("name", name)
	roles, err := c.names(ctx, op, quoteKey(name), "/v3/auth/user/get", "roles", f)
	if err != nil {
		return nil, err
	}
	return &User{Name: name, Roles: roles}, nil
}

var (
	errNoUser = errors.New("empty user name")
	errNoRole = errors.New("empty role name")
	errNoName = errors.New("empty user or role name")
)

// admin sends a call whose reply says nothing.
func (c *Client) admin(ctx context.Context, op, on, path string, f fields, mode callMode) error {
	return c.do(ctx, &request{op: op, on: on, path: path, body: f.end(), mode: mode}, ignoreReply)
}

// names sends a call whose reply is a list of names.
func (c *Client) names(ctx context.Context, op, on, path, list string, f fields) ([]string, error) {
	r := &request{op: op, on: on, path: path, body: f.end(), mode: modeRead}
	var names []string
	err := c.do(ctx, r, func(rd *jsonwire.Reader) error {
		names = nil
		for name := range rd.Object {
			if string(name) == list {
				names = appendStrings(names, rd)
			}
		}
		return nil
	})
	return names, err
}
