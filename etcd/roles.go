package etcd

import (
	"context"
	"errors"
	"strings"

	"github.com/quorate/quorate/internal/jsonwire"
)

// Permission is what a role may do with keys.
type Permission uint8

// The permissions.
const (
	Read Permission = iota
	Write
	ReadWrite
)

var permissionNames = []string{Read: "READ", Write: "WRITE", ReadWrite: "READWRITE"}

// String gives etcd's name of the permission.
func (p Permission) String() string {
	if int(p) < len(permissionNames) {
		return permissionNames[p]
	}
	return "permission " + itoa(int64(p))
}

// A Grant is a permission that a role has on a set of keys.
type Grant struct {
	Keys       KeySet
	Permission Permission
}

// A Role is a role's name and what it grants.
type Role struct {
	Name   string
	Grants []Grant
}

// RoleAdd makes a role that grants nothing. One that is there already gives
// ErrRoleExists; if the error answers ErrUnknownOutcome too, an earlier attempt
// of this call may have made it.
func (c *Client) RoleAdd(ctx context.Context, name string) error {
	const op = "role add"
	if name == "" {
		return invalid(op, "", errNoRole)
	}
	f := object(nil)
	f.text("name", name)
	return c.admin(ctx, op, quoteKey(name), "/v3/auth/role/add", f, modeWrite)
}

// RoleDelete removes a role, from its users too. One that is not there gives
// ErrRoleNotFound.
func (c *Client) RoleDelete(ctx context.Context, name string) error {
	const op = "role delete"
	if name == "" {
		return invalid(op, "", errNoRole)
	}
	f := object(nil)
	f.text("role", name)
	err := c.admin(ctx, op, quoteKey(name), "/v3/auth/role/delete", f, modeRepeatable)
	return goneIsDone(err, ErrRoleNotFound)
}

// RoleGrant lets a role do p with the keys of set. As everywhere, the keys are
// those of the client's namespace: through a client with one, All() is the
// namespace and not the whole key space. What the role was granted on exactly
// the same set is replaced.
func (c *Client) RoleGrant(ctx context.Context, role string, set KeySet, p Permission) error {
	const op = "role grant"
	on := quoteKey(role) + " on " + set.String()
	if role == "" {
		return invalid(op, "", errNoRole)
	}
	if err := set.check(); err != nil {
		return invalid(op, on, err)
	}
	if int(p) >= len(permissionNames) {
		return invalid(op, on, errors.New("unknown permission"))
	}
	f := object(nil)
	f.text("name", role)
	f.name("perm")
	perm := object(f.b)
	perm.text("permType", permissionNames[p])
	perm.keySet(c.ns, set)
	f.b = perm.end()
	return c.admin(ctx, op, on, "/v3/auth/role/grant", f, modeRepeatable)
}

// RoleRevoke takes back what was granted on exactly set. If nothing was, it is
// ErrNotGranted.
func (c *Client) RoleRevoke(ctx context.Context, role string, set KeySet) error {
	const op = "role revoke"
	on := quoteKey(role) + " on " + set.String()
	if role == "" {
		return invalid(op, "", errNoRole)
	}
	if err := set.check(); err != nil {
		return invalid(op, on, err)
	}
	f := object(nil)
	f.text("role", role)
	f.keySet(c.ns, set)
	err := c.admin(ctx, op, on, "/v3/auth/role/revoke", f, modeRepeatable)
	return goneIsDone(err, ErrNotGranted)
}

// Roles lists the names of all roles.
func (c *Client) Roles(ctx context.Context) ([]string, error) {
	return c.names(ctx, "role list", "", "/v3/auth/role/list", "roles", object(nil))
}

// Role gives what a role grants, as far as it is about keys of the client's
// namespace. One that is not there gives ErrRoleNotFound.
func (c *Client) Role(ctx context.Context, name string) (*Role, error) {
	const op = "role get"
	if name == "" {
		return nil, invalid(op, "", errNoRole)
	}
	f := object(nil)
	f.text("role", name)
	r := &request{op: op, on: quoteKey(name), path: "/v3/auth/role/get", body: f.end(), mode: modeRead}
	var role *Role
	err := c.do(ctx, r, func(rd *jsonwire.Reader) error {
		role = &Role{Name: name}
		for field := range rd.Object {
			if string(field) != "perm" {
				continue
			}
			for range rd.Array {
				key, end, p := decodePermission(rd)
				if set, ok := setWithin(c.ns, key, end); ok {
					role.Grants = append(role.Grants, Grant{set, p})
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return role, nil
}

func decodePermission(rd *jsonwire.Reader) (key, end string, p Permission) {
	for field := range rd.Object {
		switch string(field) {
		case "permType":
			p = Permission(small(rd.Enum(permissionNames)))
		case "key":
			key = rd.BytesString()
		case "range_end":
			end = rd.BytesString()
		}
	}
	return key, end, p
}

// setWithin gives the keys of the namespace ns that key and range_end name, and
// whether there are any.
func setWithin(ns, key, end string) (KeySet, bool) {
	if end == "" {
		k, ok := strings.CutPrefix(key, ns)
		return Key(k), ok && k != ""
	}
	space := Prefix(ns).span()
	s := span{lo: key, hi: end, unbounded: end == "\x00"}
	if s.empty() || !s.overlaps(space) {
		return KeySet{}, false
	}
	from := ""
	if s.lo > ns {
		from = strings.TrimPrefix(s.lo, ns)
	}
	if from == "\x00" {
		from = "" // the least key there is
	}
	upToEnd := s.unbounded || !space.unbounded && s.hi >= space.hi
	switch {
	case upToEnd && from == "":
		return All(), true
	case upToEnd:
		return From(from), true
	}
	to := strings.TrimPrefix(s.hi, ns)
	if from != "" && prefixEnd(from) == to {
		return Prefix(from), true
	}
	return Range(from, to), true
}
