package etcdtest

import (
	"cmp"
	"slices"
)

// Changes of users and roles. Every one that changes something raises the
// revision of the auth store.

func (a *authStore) enable() *Error {
	if a.enabled {
		return nil
	}
	switch {
	case a.users[root] == nil:
		return errRootUserMissing
	case !a.isRoot(root):
		return errRootRoleNotGiven
	}
	a.enabled = true
	return nil
}

func (s *Server) disableAuth() *Error {
	if !s.auth.enabled {
		return nil
	}
	s.auth.enabled = false
	s.auth.revision++
	for _, m := range s.members {
		clear(m.tokens)
	}
	return nil
}

func (a *authStore) addUser(r authRequest) *Error {
	switch {
	case r.name == "":
		return errUserEmpty
	case a.users[r.name] != nil:
		return errUserExists
	}
	a.users[r.name] = &user{password: r.password, noPassword: r.noPassword}
	a.revision++
	return nil
}

func (s *Server) deleteUser(r authRequest) *Error {
	switch {
	case s.auth.enabled && r.name == root:
		return errInvalidAuthMgmt
	case s.auth.users[r.name] == nil:
		return errUserNotFound
	}
	delete(s.auth.users, r.name)
	s.auth.revision++
	s.forget(r.name)
	return nil
}

func (s *Server) changePassword(r authRequest) *Error {
	u := s.auth.users[r.name]
	if u == nil {
		return errUserNotFound
	}
	if !u.noPassword {
		u.password = r.password
	}
	s.auth.revision++
	s.forget(r.name)
	return nil
}

func (a *authStore) grantRole(r authRequest) *Error {
	u := a.users[r.user]
	if u == nil {
		return errUserNotFound
	}
	if _, ok := a.roles[r.role]; !ok && r.role != root {
		return errRoleNotFound
	}
	if slices.Contains(u.roles, r.role) {
		return nil
	}
	u.roles = append(u.roles, r.role)
	slices.Sort(u.roles)
	a.revision++
	return nil
}

func (a *authStore) revokeRole(r authRequest) *Error {
	if a.enabled && r.name == root && r.role == root {
		return errInvalidAuthMgmt
	}
	u := a.users[r.name]
	if u == nil {
		return errUserNotFound
	}
	i := slices.Index(u.roles, r.role)
	if i < 0 {
		return errRoleNotGranted
	}
	u.roles = slices.Delete(u.roles, i, i+1)
	a.revision++
	return nil
}

func (a *authStore) addRole(r authRequest) *Error {
	if r.name == "" {
		return errRoleEmpty
	}
	if _, ok := a.roles[r.name]; ok {
		return errRoleExists
	}
	a.roles[r.name] = nil
	a.revision++
	return nil
}

func (a *authStore) deleteRole(r authRequest) *Error {
	if a.enabled && r.role == root {
		return errInvalidAuthMgmt
	}
	if _, ok := a.roles[r.role]; !ok {
		return errRoleNotFound
	}
	delete(a.roles, r.role)
	for _, u := range a.users {
		u.roles = slices.DeleteFunc(u.roles, func(role string) bool { return role == r.role })
	}
	a.revision++
	return nil
}

func (a *authStore) grantPermission(r authRequest) *Error {
	if r.perm == nil {
		return errPermNotGiven
	}
	if r.perm.key == "" || r.perm.empty() {
		return errInvalidAuthMgmt
	}
	perms, ok := a.roles[r.name]
	if !ok {
		return errRoleNotFound
	}
	i := slices.IndexFunc(perms, func(p permission) bool { return p.span == r.perm.span })
	if i >= 0 {
		perms[i].kind = r.perm.kind
	} else {
		perms = append(perms, *r.perm)
		slices.SortStableFunc(perms, func(p, q permission) int { return cmp.Compare(p.key, q.key) })
		a.roles[r.name] = perms
	}
	a.revision++
	return nil
}

func (a *authStore) revokePermission(r authRequest) *Error {
	perms, ok := a.roles[r.role]
	if !ok {
		return errRoleNotFound
	}
	kept := slices.DeleteFunc(slices.Clone(perms), func(p permission) bool { return p.span == r.span })
	if len(kept) == len(perms) {
		return errPermNotGranted
	}
	a.roles[r.role] = kept
	a.revision++
	return nil
}
