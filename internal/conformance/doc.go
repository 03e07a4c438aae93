// Package conformance says, as tests, how etcd's gateway behaves: the facts a
// client that speaks JSON to it relies on. It speaks raw HTTP and WebSocket and
// shares no code with any client, so that a client's mistake is not mirrored
// here. [Run] holds against real servers of every supported release line and
// against the gateway in memory; where the lines differ, each has its own
// expected value.
package conformance
