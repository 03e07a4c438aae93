// Package sequence gives numbers that nobody else gets.
//
//	seq := sequence.New(client, "orders")
//	n, err := seq.Next(ctx)
//
// There are three ways to take them:
//
//   - Next and NextN are strict: a number that is taken after another call has
//     returned is greater, whoever made that call. All goroutines of a process
//     share commits.
//   - Cached gives numbers from blocks in memory, millions a second. They are
//     unique, and in order within the Cached.
//   - NextIn takes a number inside the caller's own transaction, if and only if
//     that is committed: numbers without a gap.
//
// # What holds
//
// No number is given out twice, unless the sequence cycles or an operator forces
// it back. A strict number is lost, and leaves a gap, only where a caller gave up
// (or died) while its commit was under way, or a lost reply could not be resolved
// because others had come and the history was compacted since, or could not be
// read. Of a Cached, what it holds is lost with the process.
//
// Every change compares the mod revision of the sequence's key, never its value,
// and carries a nonce. So a change whose reply was lost is repeated as it is: it
// can be applied only once, and a late attempt fails. If others have come since,
// the nonces in the key's history tell.
//
// A sequence that was deleted never starts again by itself: a mark beside it
// shows that it existed. It does not survive the loss of the whole cluster's
// data: after restoring an old snapshot, set sequences forward (Set).
//
// # Names
//
// A name is any string that is not empty, of up to 512 bytes. It is escaped into
// a key below "quorate/seq/". docs/sequence.md describes keys, values and
// transactions for other languages.
package sequence
