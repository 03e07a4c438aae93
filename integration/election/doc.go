// Package election tests elections against real etcd processes: beside those of
// etcd's own client, with processes that are killed and paused, and on a cluster
// whose members are, with observers that must have seen it all.
package election
