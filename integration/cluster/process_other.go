//go:build !linux

package cluster

import "syscall"

// dieWithParent asks for nothing: only Linux ties a child to its parent's life.
func dieWithParent() *syscall.SysProcAttr { return nil }

// awaitStopped does not wait: there is no portable way to see a thread stop. A
// member may still answer for a moment.
func awaitStopped(int) error { return nil }
