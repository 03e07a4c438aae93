//go:build !linux

package cluster

import "syscall"

// dieWithParent asks for nothing: only Linux ties a child to its parent's life.
func dieWithParent() *syscall.SysProcAttr { return nil }
