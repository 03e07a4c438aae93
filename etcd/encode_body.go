package etcd

import "sync"

// A bodyBuffer is memory for a request's body. Nobody keeps a body beyond its
// exchange, so the memory serves the next one.
type bodyBuffer struct{ b []byte }

// keptBody bounds the buffers that are kept.
const keptBody = 128 << 10

var bodies = sync.Pool{New: func() any { return &bodyBuffer{b: make([]byte, 0, 512)} }}

func newBody() *bodyBuffer { return bodies.Get().(*bodyBuffer) }

func (b *bodyBuffer) free() {
	if cap(b.b) <= keptBody {
		bodies.Put(b)
	}
}
