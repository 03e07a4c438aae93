// Package h1 is a small HTTP/1.1 client for short exchanges with one host: a
// request that is at hand complete, a reply that is read whole. It exists
// because net/http's Transport costs two changes of goroutine a call, does not
// say whether a byte of a failed request was written, and may send one twice.
//
// # How a call runs
//
// [Pool.Do] takes the connection that was put back last, or dials, and does
// the writing and the reading on the caller's goroutine. Calls that follow each
// other closely take turns between a few connections. A context that ends
// interrupts the connection at once, through its deadline; the connection is
// then closed. Only a body above 32 KiB is written by a goroutine of its own,
// so that a reply that comes before the whole request was taken is seen; Do
// waits for it before it returns.
//
// A pooled connection that the server has closed, or has said something on
// unasked, is found out before it is used, where the system allows. Where a
// pooled connection fails before a byte of the request was written, Do goes on
// with another: that much is provably harmless. Beyond that nothing is ever
// sent twice. Where a request gets no reply, the idle connections that have
// been silent as long are dropped with its own. Redirects are not followed.
//
// # What an error says
//
// Every error of an exchange is an [*Error]. Sent is false only where not one
// byte of the request reached the wire, so the server cannot have acted on it.
// An error never carries header lines or bodies, neither the request's nor the
// reply's. Of a server that speaks no HTTP at all, which shows with its first
// bytes, it tells the greeting where that is one of a protocol that is known.
//
// # Bounds
//
// A reply's head is at most 64 KiB, its body at most [Config].MaxReply after
// decompression. Parsing is strict: CRLF line ends, one length, no folded
// lines. What it accepts, net/http's ReadResponse reads alike.
package h1
