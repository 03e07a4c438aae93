// Package sequence tests sequences with real processes, which are killed at
// every step, against a real etcd.
package sequence
