// Package integration tests quorate against real etcd servers.
package integration
