// Package cluster runs real etcd processes for tests, and breaks them.
//
// A Cluster has one or three members on loopback. Between the members, and
// between each member and its clients, stand TCP proxies of this process: a
// [Proxy] before each client port, and links between members that can be cut
// in one direction or both. Members can be killed, paused, stopped and started
// again. Everything a cluster starts ends with the test, and, on Linux, with
// the test process even when that is killed.
package cluster
