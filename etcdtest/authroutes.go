package etcdtest

import (
	"maps"
	"slices"
)

// authRequest holds the fields of all requests of the auth service.
type authRequest struct {
	name, user, role, password string
	noPassword                 bool
	perm                       *permission
	span                       // of a permission to revoke
}

type authStatusReply struct {
	Header       *headerReply `json:"header,omitempty"`
	Enabled      bool         `json:"enabled,omitempty"`
	AuthRevision uint64       `json:"authRevision,string,omitempty"`
}

type tokenReply struct {
	Header *headerReply `json:"header,omitempty"`
	Token  string       `json:"token,omitempty"`
}

type namesReply struct {
	Header *headerReply `json:"header,omitempty"`
	Users  []string     `json:"users,omitempty"`
	Roles  []string     `json:"roles,omitempty"`
}

type permReply struct {
	PermType string `json:"permType,omitempty"`
	Key      []byte `json:"key,omitempty"`
	RangeEnd []byte `json:"range_end,omitempty"`
}

type roleReply struct {
	Header *headerReply `json:"header,omitempty"`
	Perm   []permReply  `json:"perm,omitempty"`
}

func (s *Server) authRoutes() map[string]*route {
	routes := map[string]*route{
		"/v3/auth/status":       unary(writes, nothing, s.serveAuthStatus),
		"/v3/auth/authenticate": unary(writes, decodeAuth, s.serveAuthenticate),
		"/v3/auth/user/get":     unary(writes, decodeAuth, s.serveUserGet),
		"/v3/auth/user/list":    unary(writes, decodeAuth, s.serveUserList),
		"/v3/auth/role/get":     unary(writes, decodeAuth, s.serveRoleGet),
		"/v3/auth/role/list":    unary(writes, decodeAuth, s.serveRoleList),
	}
	a := func() *authStore { return s.auth }
	for path, change := range map[string]func(authRequest) *Error{
		"/v3/auth/enable":        func(authRequest) *Error { return a().enable() },
		"/v3/auth/disable":       func(authRequest) *Error { return s.disableAuth() },
		"/v3/auth/user/add":      func(r authRequest) *Error { return a().addUser(r) },
		"/v3/auth/user/delete":   s.deleteUser,
		"/v3/auth/user/changepw": s.changePassword,
		"/v3/auth/user/grant":    func(r authRequest) *Error { return a().grantRole(r) },
		"/v3/auth/user/revoke":   func(r authRequest) *Error { return a().revokeRole(r) },
		"/v3/auth/role/add":      func(r authRequest) *Error { return a().addRole(r) },
		"/v3/auth/role/delete":   func(r authRequest) *Error { return a().deleteRole(r) },
		"/v3/auth/role/grant":    func(r authRequest) *Error { return a().grantPermission(r) },
		"/v3/auth/role/revoke":   func(r authRequest) *Error { return a().revokePermission(r) },
	} {
		routes[path] = unary(writes, decodeAuth, func(c *call, r authRequest) (any, *Error) {
			if err := s.auth.admin(c.user); err != nil {
				return nil, err
			}
			if err := change(r); err != nil {
				return nil, err
			}
			return headerOnly{c.header()}, nil
		})
	}
	return routes
}

func decodeAuth(d *decoder, o map[string]any) (authRequest, *Error) {
	var r authRequest
	for k, v := range o {
		switch k {
		case "name":
			r.name = d.text(k, v)
		case "user":
			r.user = d.text(k, v)
		case "role":
			r.role = d.text(k, v)
		case "password":
			r.password = d.secret(k, v)
		case "hashedPassword":
			d.secret(k, v)
		case "options":
			for k, v := range d.object(k, v) {
				if k == "no_password" || k == "noPassword" {
					r.noPassword = d.boolean(k, v)
				}
			}
		case "key":
			r.key = d.key(k, v)
		case "range_end", "rangeEnd":
			r.end = d.key(k, v)
		case "perm":
			if v == nil {
				break
			}
			r.perm = &permission{}
			for k, v := range d.object(k, v) {
				switch k {
				case "permType":
					r.perm.kind = d.enum(k, v, permTypes)
				case "key":
					r.perm.key = d.key(k, v)
				case "range_end", "rangeEnd":
					r.perm.end = d.key(k, v)
				}
			}
		}
	}
	return r, nil
}

func (s *Server) serveAuthStatus(c *call, _ struct{}) (any, *Error) {
	return authStatusReply{c.header(), s.auth.enabled, s.auth.revision}, nil
}

func (s *Server) serveAuthenticate(c *call, r authRequest) (any, *Error) {
	if !s.auth.enabled {
		return nil, errAuthNotEnabled
	}
	u := s.auth.users[r.name]
	switch {
	case u == nil:
		return nil, errAuthFailed
	case u.noPassword:
		return nil, errNoPasswordUser
	case u.password != r.password:
		return nil, errAuthFailed
	}
	return tokenReply{c.header(), s.issue(r.name)}, nil
}

func (s *Server) serveUserGet(c *call, r authRequest) (any, *Error) {
	if err := s.auth.admin(c.user); err != nil && (c.user == nil || c.user.name != r.name) {
		return nil, err
	}
	u := s.auth.users[r.name]
	if u == nil {
		return nil, errUserNotFound
	}
	return namesReply{Header: c.header(), Roles: slices.Clone(u.roles)}, nil
}

func (s *Server) serveUserList(c *call, _ authRequest) (any, *Error) {
	if err := s.auth.admin(c.user); err != nil {
		return nil, err
	}
	return namesReply{Header: c.header(), Users: slices.Sorted(maps.Keys(s.auth.users))}, nil
}

func (s *Server) serveRoleGet(c *call, r authRequest) (any, *Error) {
	if err := s.auth.admin(c.user); err != nil {
		if c.user == nil || s.auth.users[c.user.name] == nil ||
			!slices.Contains(s.auth.users[c.user.name].roles, r.role) {
			return nil, err
		}
	}
	perms, ok := s.auth.roles[r.role]
	if !ok {
		return nil, errRoleNotFound
	}
	if r.role == root {
		perms = []permission{{span: span{end: "\x00"}, kind: permReadWrite}}
	}
	rep := roleReply{Header: c.header()}
	for _, p := range perms {
		pr := permReply{Key: []byte(p.key), RangeEnd: []byte(p.end)}
		if p.kind != permRead && p.kind < len(permTypes) {
			pr.PermType = permTypes[p.kind]
		}
		rep.Perm = append(rep.Perm, pr)
	}
	return rep, nil
}

func (s *Server) serveRoleList(c *call, _ authRequest) (any, *Error) {
	if err := s.auth.admin(c.user); err != nil {
		return nil, err
	}
	return namesReply{Header: c.header(), Roles: slices.Sorted(maps.Keys(s.auth.roles))}, nil
}
