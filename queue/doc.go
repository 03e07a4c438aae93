// Package queue has job queues in etcd: any number of producers and consumers,
// nothing lost whatever dies, and no server beside etcd.
//
//	q := queue.New[Order](client, "orders")
//	id, err := q.Enqueue(ctx, order, queue.Delay(time.Minute))
//
//	c, err := q.Consumer(session)
//	defer c.Close(ctx)
//	ds, err := c.Receive(ctx, 100)
//	for _, d := range ds {
//		if err := handle(d.Context(), d.Value); err != nil {
//			err = d.Nack(ctx, time.Minute, queue.Because(err))
//			continue
//		}
//		err = d.Ack(ctx)
//	}
//
// # What holds
//
// A job that was enqueued is done, pending or dead, whatever dies and whichever
// reply is lost. It is delivered at least once. What is done with it inside
// etcd can be done exactly once: AckWith commits the caller's transaction
// together with the acknowledgement, and Guard goes into any other one. A
// delivery whose claim is over can change nothing, and a job that was
// acknowledged is never delivered again.
//
// Jobs of one priority are claimed in the order they were committed in; those
// that are tried again, or were delayed, queue up anew when they are due.
//
// # When a consumer dies
//
// A claim is not leased; the consumer's presence is, with its session. When it
// is gone, others take its claims over at once, at one attempt more. From then
// on these jobs are suspect: each is claimed by itself, one at a time in a
// process, so that one that crashes its consumer neither takes its neighbours
// along nor hides among them. One that crashed alone and has used up its
// attempts becomes a dead letter.
//
// # One process
//
// A Queue and a Consumer are safe for use by many goroutines, and gather what
// these do: enqueues that are made while another is under way share the next
// commit, and so do acknowledgements. Use one Queue of a name in a process, and
// one client.
//
// docs/queue.md describes keys, values and transactions.
package queue
