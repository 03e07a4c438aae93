// Package lock has distributed locks that cannot be mistaken for local ones:
// every acquisition gives a Handle with a context that ends when the lock is
// lost, a token that grows from holder to holder, and a guard that makes a
// transaction of the caller's fail if the lock is not held any more.
//
//	m := lock.New(session, "deploy")
//	h, err := m.Acquire(ctx)
//	if err != nil {
//		return err
//	}
//	defer h.Release(ctx)
//	err = work(h.Context())
//
// # What holds, and what does not
//
// Contenders stand in a line, first come, first served. Among processes that
// obey their handle's context there is never more than one holder, as long as
// leases run out by time: the context ends before the server can give the lock
// to anyone else (see etcd.Session). Nobody can promise that of a lease that is
// revoked, a key that is deleted by hand, or a lock that an operator breaks.
// There the context ends as soon as the event arrives, and what protects until
// then, as in every pause between a look at the context and a write, is the
// guard:
//
//	res, err := client.Txn(ctx, etcd.Txn{
//		If:   []etcd.Cmp{h.Guard()},
//		Then: []etcd.Op{etcd.Put("config", value)},
//	})
//
// Whoever writes elsewhere than to etcd hands the token along, and has the
// other side refuse tokens smaller than the greatest it has seen.
//
// # Names
//
// A name is any string that is not empty, of up to 512 bytes. It is escaped
// into the keys below "quorate/lock/", so that "a" and "a/b" never see each
// other. WithPrefix takes a raw prefix instead, under which a Mutex stands in
// one line with concurrency.Mutex of etcd's Go client. docs/lock.md describes
// keys, values and transactions.
//
// # Failures
//
// A lost reply never leaves anything in the line: an enqueue without an answer
// is repeated under the same key until its outcome is known, and where the
// caller gives up before, the session goes on looking after that key. So every
// error of Acquire means that the lock is not held and that the contender is
// out of the line, or about to be.
package lock
