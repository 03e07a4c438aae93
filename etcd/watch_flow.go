package etcd

import (
	"io"
	"sync/atomic"
)

// An inflow tells whether a message is on its way in. One that is large, or
// comes over a slow line, holds up all that is behind it, the answers to a ping
// and to new watches among them: a connection that brings it is not dead.
type inflow struct {
	bytes   atomic.Int64 // that have come
	partial atomic.Bool  // a message has come in part
	taking  atomic.Bool  // a message has come and is being taken in
}

// reader counts what r brings.
func (f *inflow) reader(r io.Reader) io.Reader { return inflowReader{f, r} }

type inflowReader struct {
	f *inflow
	r io.Reader
}

func (r inflowReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if n > 0 {
		r.f.bytes.Add(int64(n))
		r.f.partial.Store(true)
	}
	return n, err
}

// next is called when another message is waited for, whole when it is there.
func (f *inflow) next() { f.taking.Store(false) }
func (f *inflow) whole() {
	f.taking.Store(true)
	f.partial.Store(false)
}

// since reports whether a message is on its way that has got further since the
// last call, which has left its state in last.
func (f *inflow) since(last *int64) bool {
	if f == nil {
		return false
	}
	n := f.bytes.Load()
	moved := n != *last
	*last = n
	return f.taking.Load() || f.partial.Load() && moved
}
