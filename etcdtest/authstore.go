package etcdtest

import (
	"slices"
	"strings"
)

var (
	errUserEmpty        = &Error{Code: InvalidArgument, Message: "etcdserver: user name is empty"}
	errUserExists       = &Error{Code: FailedPrecondition, Message: "etcdserver: user name already exists"}
	errUserNotFound     = &Error{Code: FailedPrecondition, Message: "etcdserver: user name not found"}
	errRoleEmpty        = &Error{Code: InvalidArgument, Message: "etcdserver: role name is empty"}
	errRoleExists       = &Error{Code: FailedPrecondition, Message: "etcdserver: role name already exists"}
	errRoleNotFound     = &Error{Code: FailedPrecondition, Message: "etcdserver: role name not found"}
	errRoleNotGranted   = &Error{Code: FailedPrecondition, Message: "etcdserver: role is not granted to the user"}
	errPermNotGiven     = &Error{Code: InvalidArgument, Message: "etcdserver: permission not given"}
	errPermNotGranted   = &Error{Code: FailedPrecondition, Message: "etcdserver: permission is not granted to the role"}
	errPermDenied       = &Error{Code: PermissionDenied, Message: "etcdserver: permission denied"}
	errAuthFailed       = &Error{Code: InvalidArgument, Message: "etcdserver: authentication failed, invalid user ID or password"}
	errNoPasswordUser   = &Error{Code: Unknown, Message: "auth: authentication failed, password was given for no password user"}
	errAuthNotEnabled   = &Error{Code: FailedPrecondition, Message: "etcdserver: authentication is not enabled"}
	errInvalidToken     = &Error{Code: Unauthenticated, Message: "etcdserver: invalid auth token"}
	errInvalidAuthMgmt  = &Error{Code: InvalidArgument, Message: "etcdserver: invalid auth management"}
	errRootUserMissing  = &Error{Code: FailedPrecondition, Message: "etcdserver: root user does not exist"}
	errRootRoleNotGiven = &Error{Code: FailedPrecondition, Message: "etcdserver: root user does not have root role"}
)

const root = "root"

// permission types, numbered as in the protocol.
const (
	permRead = iota
	permWrite
	permReadWrite
)

var permTypes = []string{"READ", "WRITE", "READWRITE"}

type permission struct {
	span
	kind int
}

// user keeps its password in the clear: this is a server for tests.
type user struct {
	password   string
	noPassword bool
	roles      []string // sorted
}

// authStore is users and roles. The server's mutex guards it.
type authStore struct {
	enabled  bool
	revision uint64
	users    map[string]*user
	roles    map[string][]permission // sorted by key
}

func newAuthStore() *authStore {
	return &authStore{revision: 1, users: make(map[string]*user), roles: make(map[string][]permission)}
}

// bootstrap turns authentication on with a user root.
func (a *authStore) bootstrap(password string) {
	a.users[root] = &user{password: password, roles: []string{root}}
	a.roles[root] = nil
	a.enabled = true
	a.revision = 4
}

func (a *authStore) isRoot(name string) bool {
	u := a.users[name]
	return u != nil && slices.Contains(u.roles, root)
}

// may says whether a login may read or write a key or range.
func (a *authStore) may(l *login, sp span, kind int) *Error {
	if !a.enabled {
		return nil
	}
	if l == nil {
		return errUserEmpty
	}
	if l.err != nil {
		return l.err
	}
	u := a.users[l.name]
	if u == nil {
		return errPermDenied
	}
	if a.isRoot(l.name) {
		return nil
	}
	var have []span
	for _, role := range u.roles {
		for _, p := range a.roles[role] {
			if p.kind == kind || p.kind == permReadWrite {
				have = append(have, p.span)
			}
		}
	}
	if covered(sp, have) {
		return nil
	}
	return errPermDenied
}

// covered says whether the spans together cover all of sp.
func covered(sp span, have []span) bool {
	if sp.single() {
		return slices.ContainsFunc(have, func(h span) bool { return h.contains(sp.key) })
	}
	slices.SortFunc(have, func(a, b span) int { return strings.Compare(a.key, b.key) })
	at := sp.key
	for _, h := range have {
		if h.key > at {
			return false
		}
		switch {
		case h.single():
			if h.key == at {
				at += "\x00" // the next key there can be
			}
		case h.openEnded():
			return true
		case h.end > at:
			at = h.end
		}
		if !sp.openEnded() && at >= sp.end {
			return true
		}
	}
	return false
}

// user requires a valid login of anyone.
func (a *authStore) user(l *login) *Error {
	switch {
	case !a.enabled:
		return nil
	case l == nil:
		return errUserEmpty
	}
	return l.err
}

// admin requires a login with the role root.
func (a *authStore) admin(l *login) *Error {
	if err := a.user(l); err != nil || !a.enabled {
		return err
	}
	switch {
	case a.users[l.name] == nil:
		return errUserNotFound
	case !a.isRoot(l.name):
		return errPermDenied
	}
	return nil
}
