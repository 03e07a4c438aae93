// Package locks tests locks against real etcd processes: beside those of etcd's
// own client, with a thousand waiters of several processes, with processes that
// are killed and paused, and on clusters whose members are.
package locks
