package etcdtest

import "maps"

// route is what a unary path does.
type route struct {
	kind kind
	// decode reads the request and checks what can be checked without state.
	decode func(d *decoder, body map[string]any) (any, *Error)
	// apply answers it, under the server's mutex.
	apply func(c *call, req any) (any, *Error)
}

// kind is what a call needs from the cluster.
type kind int

const (
	local  kind = iota // answered by the member alone
	reads              // needs the consent of a quorum, changes nothing
	leases             // is answered by the leader from memory
	writes             // is proposed and applied
)

// unary makes a route of two functions that agree on the request's type.
func unary[R any](k kind, decode func(*decoder, map[string]any) (R, *Error), apply func(*call, R) (any, *Error)) *route {
	return &route{
		kind:   k,
		decode: func(d *decoder, o map[string]any) (any, *Error) { return decode(d, o) },
		apply: func(c *call, req any) (any, *Error) {
			r, _ := req.(R)
			return apply(c, r)
		},
	}
}

// nothing decodes a request that has no fields.
func nothing(*decoder, map[string]any) (struct{}, *Error) { return struct{}{}, nil }

// routes returns every unary path of the gateway.
func (s *Server) allRoutes() map[string]*route {
	all := make(map[string]*route)
	for _, part := range []map[string]*route{
		s.kvRoutes(), s.leaseRoutes(), s.authRoutes(), s.clusterRoutes(), s.maintenanceRoutes(),
	} {
		maps.Copy(all, part)
	}
	return all
}
