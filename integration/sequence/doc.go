// Package sequence tests sequences with real processes, which are killed at
// every step, against a real etcd, and on a cluster whose members are killed,
// paused and cut off.
package sequence
