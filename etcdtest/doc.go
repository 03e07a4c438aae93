// Package etcdtest is an etcd cluster in memory, seen through its JSON
// gateway: a server for tests that need no etcd, ours and those of programs
// that use this module.
//
// It keeps etcd's multi-version key space with revisions, leases, watches and
// txns, and answers as the gateway of etcd 3.7 does (WithVersion makes it
// answer like 3.5 or 3.6). It shares no code with package etcd: requests and
// replies go through encoding/json, so that a mistake in the one is not
// mirrored in the other.
//
// A client reaches it over connections inside the process (Server.Dial and
// Server.URL), which work in a testing/synctest bubble, over TCP
// (Server.Listen), or through Server.ServeHTTP. Time goes through the standard
// library alone: in a bubble a lease of an hour expires at once.
package etcdtest
