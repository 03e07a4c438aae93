//go:build !unix

package h1

import "syscall"

// probeSocket has no way to look at a socket here.
func probeSocket(syscall.Conn) func() bool { return nil }
