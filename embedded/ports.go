package embedded

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"syscall"
)

const loopback = "127.0.0.1"

// handedOut are the ports of this process's clusters. etcd cannot take over a
// listener, so a free port is found, closed and opened again; this keeps two
// clusters that start at once from finding the same one in between.
var handedOut = struct {
	sync.Mutex
	ports map[int]bool
}{ports: map[int]bool{}}

// freePort finds a port nobody listens on and reserves it in this process.
func freePort() (int, error) {
	for range 100 {
		l, err := net.Listen("tcp", net.JoinHostPort(loopback, "0"))
		if err != nil {
			return 0, fmt.Errorf("free port: %w", err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		if err := l.Close(); err != nil {
			return 0, fmt.Errorf("free port: %w", err)
		}
		if reserve(port) {
			return port, nil
		}
	}
	return 0, errors.New("free port: none found in 100 attempts")
}

// takePort reserves a given port and makes sure that it can be listened on.
func takePort(port int) error {
	if !reserve(port) {
		return fmt.Errorf("port %d: %w", port, syscall.EADDRINUSE)
	}
	l, err := net.Listen("tcp", address(port))
	if err == nil {
		err = l.Close()
	}
	if err != nil {
		releasePorts(port)
		return fmt.Errorf("port %d: %w", port, err)
	}
	return nil
}

func reserve(port int) bool {
	handedOut.Lock()
	defer handedOut.Unlock()
	if handedOut.ports[port] {
		return false
	}
	handedOut.ports[port] = true
	return true
}

func releasePorts(ports ...int) {
	handedOut.Lock()
	defer handedOut.Unlock()
	for _, p := range ports {
		delete(handedOut.ports, p)
	}
}

func address(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }

// fixedPortError says that a port is taken that cannot be replaced by another.
type fixedPortError struct {
	what string
	err  error
}

func (e *fixedPortError) Error() string { return e.what + ": " + e.err.Error() }
func (e *fixedPortError) Unwrap() error { return e.err }

// choosePorts reserves a client port for every member and, where l is nil, peer
// ports for a new layout. A lone member talks to no peers, so its remembered
// port may give way to another one.
func choosePorts(config Config, l *layout) (_ *layout, clients []int, err error) {
	var taken []int
	defer func() {
		if err != nil {
			releasePorts(taken...)
		}
	}()
	pick := func(want int, what string) (int, error) {
		port, err := want, error(nil)
		if want == 0 {
			port, err = freePort()
		} else if err = takePort(want); err != nil {
			err = &fixedPortError{what, err}
		}
		if err == nil {
			taken = append(taken, port)
		}
		return port, err
	}

	clients = make([]int, config.Members)
	copy(clients, config.ClientPorts)
	peers := make([]int, config.Members)
	if l != nil {
		copy(peers, l.PeerPorts)
	}
	// Given ports first, so that no free one is among them.
	for i, port := range clients {
		if port == 0 {
			continue
		}
		if _, err = pick(port, "client address of member "+memberName(i)); err != nil {
			return nil, nil, err
		}
	}
	for i, port := range peers {
		if port == 0 {
			continue
		}
		_, err = pick(port, "peer address of member "+memberName(i)+", remembered by the directory")
		if err != nil && config.Members == 1 {
			peers[i], err = 0, nil
		}
		if err != nil {
			return nil, nil, err
		}
	}
	for _, ports := range [][]int{clients, peers} {
		for i, port := range ports {
			if port != 0 {
				continue
			}
			if ports[i], err = pick(0, ""); err != nil {
				return nil, nil, err
			}
		}
	}
	if l == nil {
		return newLayout(peers), clients, nil
	}
	return &layout{Token: l.Token, PeerPorts: peers}, clients, nil
}
