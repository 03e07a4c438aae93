package etcd

import "context"

// A watchLink carries the messages of watches to one member and back: over
// HTTP/2, over a WebSocket, or over one streaming POST a watch.
type watchLink interface {
	transport() watchTransport
	// duplex reports whether messages can be sent at any time. Otherwise
	// progress can't be asked for, and every watch has a stream of its own.
	duplex() bool
	// send sends one message. One goroutine calls it.
	send(ctx context.Context, m *outMessage) error
	// recv waits for the next message. One goroutine calls it. The document is
	// good until the next call. A *lostStream is the end of one watch only.
	recv() (inMessage, error)
	// check finds out whether the way to the member is still good, as far as
	// that can be seen from the connection itself.
	check(ctx context.Context) error
	// flow tells of messages that are on their way in; nil where it makes no
	// difference, because every watch has a stream of its own.
	flow() *inflow
	// close ends everything at once, calls under way included, and waits for
	// the goroutines that belong to the link.
	close()
}

// outMessage is a message of the client.
type outMessage struct {
	body           []byte
	id             int64
	create, cancel bool
}

// inMessage is a message of the server. id is set where the link knows which
// watch it is about.
type inMessage struct {
	doc []byte
	id  int64
}

// lostStream is the error of a link whose stream for one watch has ended.
type lostStream struct {
	id  int64
	err error
}

func (e *lostStream) Error() string { return "the stream of a watch has ended: " + e.err.Error() }
func (e *lostStream) Unwrap() error { return e.err }

// watchTransport is how a link is carried.
type watchTransport uint8

const (
	viaHTTP2 watchTransport = iota
	viaWebSocket
	viaPost
)

func (t watchTransport) String() string { return [...]string{"h2", "websocket", "stream"}[t] }
