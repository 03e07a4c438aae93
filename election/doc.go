// Package election elects one leader among any number of candidates, hands
// leadership over cleanly, and tells observers of every change in order.
//
//	e := election.New(session, "scheduler")
//	term, err := e.Campaign(ctx, []byte("host-7"))
//	if err != nil {
//		return err
//	}
//	defer term.Resign(ctx)
//	err = work(term.Context())
//
// Run does that again and again, with new sessions where one was lost.
//
// # What holds, and what does not
//
// Candidates stand in a line, first come, first served, and the first leads.
// There are no priorities: whoever is to lead is handed leadership
// (Term.Transfer). Among processes that obey their term's context there is never
// more than one leader, as long as leases run out by time: the context ends
// before the server can let anyone else lead (see etcd.Session). Nobody can
// promise that of a lease that is revoked, a key that is deleted by hand, or
// leadership that an operator gives away with Depose. There the context ends as
// soon as the event arrives, and what protects until then, as in every pause
// between a look at the context and a write, is the term's guard in the caller's
// own transaction, or its token where others than etcd are written to: they have
// to refuse tokens smaller than the greatest they have seen.
//
// # Observers
//
// Observe gives every leader, every proclaimed value and every vacancy in order.
// It outlives lost connections. Where history that it had not seen was compacted
// it says so and goes on with the present. It needs no session.
//
// # Names
//
// A name is any string that is not empty, of up to 512 bytes. It is escaped into
// the keys below "quorate/election/", so that "a" and "a/b" never see each
// other. WithPrefix takes a raw prefix instead, under which candidates stand in
// one line with those of concurrency.Election of etcd's Go client, and either
// side's observers understand the other; there leadership cannot be handed over.
// docs/election.md describes keys, values and transactions.
//
// # Failures
//
// A lost reply never leaves anything in the line; every error of Campaign means
// that the caller does not lead and that its candidate is out of the line, or
// about to be.
package election
