// Package line is what locks and elections share: a line of contenders under
// one prefix, ordered by create revision.
//
// # Keys
//
// A contender is a key
//
//	PREFIX + lease in hexadecimal + "-" + nonce
//
// bound to the lease of its session. Two goroutines of one session are two
// contenders, hence the nonce. The native Go client's keys are PREFIX + lease,
// so under one prefix they stand in the same line. The value says what the
// contender is (Note); a contender whose value is not understood counts as one
// that excludes all others.
//
// # Why the order is sound
//
// The server gives each commit a revision of its own, and every enqueue reads
// the whole line in its commit, so that no two enqueues of one line ever share
// one (see etcd.Txn's group commit). So create revisions in a line never tie,
// and they only grow: nobody ever gets in front of somebody who stands there.
// Whoever sees, in a linearizable read after enqueueing, that those in front do
// not exclude it, holds from there on until its own key is gone; and once it
// has seen who stands in front, it needs no further read, only their events.
//
// # Lost replies
//
// An enqueue whose outcome is unknown is repeated under the same key until an
// answer comes; the repetition finds the key missing and creates it, or finds
// it and adopts it. But a paused server may still apply the first attempt long
// after, when the key has been released: so the key of an enqueue with any
// unknown attempt is suspect for ever. It is never used again, and when its
// contender leaves, the session's janitor (etcd.Session.Abandon) looks after it.
// A deletion compares the create revision, so a late one does no harm.
//
// A key whose enqueue was answered at once is free for the next contender of
// the same Line after its deletion was confirmed, and is used again: a line in
// constant use leaves no trail of dead keys that every read would have to step
// over until the next compaction. And the watches of those keys are kept for a
// while, for those who stand behind them next (see sight).
package line
