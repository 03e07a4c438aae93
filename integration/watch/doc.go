// Package watch tests the client's watches against real etcd processes, over
// every transport, every release line, and through faults.
package watch
