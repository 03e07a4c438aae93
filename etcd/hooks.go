package etcd

import "time"

// Hooks observe a client, for metrics and tracing. They cost nothing where
// unset. They are called on the goroutines that do the work, several at once:
// they must be quick and must not call the client.
type Hooks struct {
	// Request is called after each attempt of a request.
	Request func(RequestInfo)
	// Batch is called when several calls share a request.
	Batch func(BatchInfo)
	// Watch is called when a watch connection is opened or lost.
	Watch func(WatchConnInfo)
}

// RequestInfo describes one attempt of one request.
type RequestInfo struct {
	Op       string // "put", "txn", "lease keepalive", ...
	Endpoint string
	Attempt  int // 1 is the first
	Duration time.Duration
	Sent     int   // bytes of the request's body
	Received int   // bytes of the reply's body
	Err      error // nil if it succeeded
}

// BatchInfo describes a request that carries several calls.
type BatchInfo struct {
	Calls int  // how many share it
	Bytes int  // of its body
	Write bool // whether they write or read
}

// WatchConnInfo describes a change of a watch connection.
type WatchConnInfo struct {
	Endpoint  string
	Transport string // "h2", "websocket" or "stream"
	Open      bool
	Err       error // why it was lost; nil when opened
}
