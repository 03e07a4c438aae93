package etcd

import (
	"errors"
	"strings"
)

// What went wrong in administration, for errors.Is.
var (
	// ErrMemberNotFound: the cluster has no such member.
	ErrMemberNotFound = errors.New("member not found")
	// ErrNotLeader: the member that was asked is not the leader.
	ErrNotLeader = errors.New("member is not the leader")
	// ErrUserNotFound: there is no such user.
	ErrUserNotFound = errors.New("user not found")
	// ErrUserExists: a user of that name is there already.
	ErrUserExists = errors.New("user already exists")
	// ErrRoleNotFound: there is no such role.
	ErrRoleNotFound = errors.New("role not found")
	// ErrRoleExists: a role of that name is there already.
	ErrRoleExists = errors.New("role already exists")
	// ErrNotGranted: the user does not have that role, or the role not that
	// permission.
	ErrNotGranted = errors.New("not granted")
	// ErrAuthNotEnabled: authentication is switched off.
	ErrAuthNotEnabled = errors.New("authentication is not enabled")
	// ErrUnsupported: this version of etcd does not know the call.
	ErrUnsupported = errors.New("not supported by this version of etcd")
)

// adminKinds maps the server's words to the errors above.
var adminKinds = []struct {
	code Code
	text string
	kind error
}{
	{CodeNotFound, "member not found", ErrMemberNotFound},
	{CodeFailedPrecondition, "not leader", ErrNotLeader},
	{CodeFailedPrecondition, "user name not found", ErrUserNotFound},
	{CodeFailedPrecondition, "user name already exists", ErrUserExists},
	{CodeFailedPrecondition, "role name not found", ErrRoleNotFound},
	{CodeFailedPrecondition, "role name already exists", ErrRoleExists},
	{CodeFailedPrecondition, "role is not granted", ErrNotGranted},
	{CodeFailedPrecondition, "permission is not granted", ErrNotGranted},
	{CodeFailedPrecondition, "authentication is not enabled", ErrAuthNotEnabled},
}

func adminKind(code Code, msg string) error {
	for _, k := range adminKinds {
		if code == k.code && strings.Contains(msg, k.text) {
			return k.kind
		}
	}
	return nil
}
