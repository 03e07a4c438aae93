//go:build unix

package h1

import "syscall"

// probeSocket reads from the socket, which never blocks.
func probeSocket(sc syscall.Conn) func() bool {
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	var (
		b     [1]byte
		alive bool
	)
	read := func(fd uintptr) bool {
		_, err := syscall.Read(int(fd), b[:])
		alive = err == syscall.EAGAIN || err == syscall.EWOULDBLOCK || err == syscall.EINTR
		return true
	}
	return func() bool {
		alive = false
		return raw.Read(read) == nil && alive
	}
}
