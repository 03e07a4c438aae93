// Package embedded runs real etcd members inside the process.
package embedded
