package queue_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/queue"
)

func (s *storm) work(ctx context.Context, q *queue.Queue[string], c *queue.Consumer[string]) {
	for {
		ds, err := c.Receive(ctx, 1+s.dice(10))
		if err != nil {
			s.failed(err)
			return
		}
		for _, d := range ds {
			if s.dice(10) == 0 {
				_ = sleepFor(ctx, time.Duration(s.dice(8000))*time.Millisecond)
			}
			s.deal(d)
		}
		if s.dice(20) == 0 {
			_, _ = q.Redrive(ctx)
		}
	}
}

func (s *storm) deal(d *queue.Delivery[string]) {
	s.mu.Lock()
	s.tokens[d.ID] = max(s.tokens[d.ID], d.Token())
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(100+s.dice(4000))*time.Millisecond)
	defer cancel()
	what := s.dice(10)
	for range 3 {
		var err error
		done := false
		switch {
		case what == 0:
			err = d.Nack(ctx, time.Duration(s.dice(5000))*time.Millisecond)
		case what == 1:
			err = d.Dead(ctx, "dice")
		case what == 2:
			err = d.Return(ctx)
		case d.Value == "with":
			_, err = d.AckWith(ctx, etcd.Txn{Then: []etcd.Op{etcd.Put("result/"+d.ID, nil)}})
			done = err == nil
		default:
			err = d.Ack(ctx)
			done = err == nil
		}
		if done {
			s.mu.Lock()
			s.settled[d.ID] = true
			s.mu.Unlock()
		}
		if err == nil {
			return
		}
		s.failed(err)
		if !errors.Is(err, etcd.ErrUnknownOutcome) {
			return
		}
	}
}

func (s *storm) producer(i int) {
	c := s.process()
	defer c.Close()
	q := queue.New[string](c, name)
	for n := 0; s.stop.Err() == nil; n++ {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(1+s.dice(20))*time.Second)
		opts := []queue.EnqueueOption{queue.Priority(s.dice(3))}
		if s.dice(4) == 0 {
			opts = append(opts, queue.Delay(time.Duration(s.dice(20))*time.Second))
		}
		var ids []string
		var err error
		switch s.dice(4) {
		case 0:
			var id string
			var op etcd.Op
			id, op, err = q.EnqueueOp("with", opts...)
			if err == nil {
				_, err = q.Client().Txn(ctx, etcd.Txn{Then: []etcd.Op{op}})
				ids = []string{id}
			}
		case 1:
			var id string
			id, err = q.Enqueue(ctx, "x", append(opts, queue.Unique(fmt.Sprint("u", s.dice(3))))...)
			ids = []string{id}
			if errors.Is(err, queue.ErrDuplicate) {
				err, ids = nil, nil
			}
		default:
			ids, err = q.EnqueueMany(ctx, []string{"x", "with", "y"}, opts...)
		}
		cancel()
		if err != nil {
			s.failed(err)
		} else {
			s.mu.Lock()
			for _, id := range ids {
				s.ids[id] = true
			}
			s.mu.Unlock()
		}
		_ = sleepFor(s.stop, time.Duration(s.dice(3000))*time.Millisecond)
	}
}

// worker is one process after the other.
func (s *storm) worker() {
	for s.stop.Err() == nil {
		c := s.process()
		if err := s.career(c); err != nil {
			s.failed(err)
			_ = sleepFor(s.stop, time.Second)
		}
		if err := c.Close(); err != nil {
			s.wrongly("close: %v", err)
		}
	}
}

// career is the life of a process that works.
func (s *storm) career(c *etcd.Client) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	sess, err := etcd.NewSession(ctx, c, etcd.WithTTL(5*time.Second))
	cancel()
	if err != nil {
		return err
	}
	q := queue.New[string](c, name)
	cons, err := q.Consumer(sess, queue.Prefetch(s.dice(20)), queue.MaxAttempts(50))
	if err != nil {
		return err
	}
	life, end := context.WithTimeout(s.stop, time.Duration(5+s.dice(60))*time.Second)
	s.work(life, q, cons)
	end()
	ctx, cancel = context.WithTimeout(context.Background(), time.Duration(s.dice(3000))*time.Millisecond)
	defer cancel()
	if s.dice(2) == 0 { // it dies
		s.srv.ExpireLease(int64(sess.Lease()))
	}
	_ = cons.Close(ctx)
	_ = sess.Close(ctx)
	return nil
}
