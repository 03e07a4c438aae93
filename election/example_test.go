package election_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/quorate/quorate/election"
	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

// exampleSession gives a session, and what ends it. In a program it is made
// with the client of a real etcd.
func exampleSession() (*etcd.Session, func()) {
	srv := etcdtest.New()
	client, err := etcd.New(etcd.Config{Endpoints: srv.URLs(), Dial: srv.Dial})
	if err != nil {
		log.Fatal(err)
	}
	session, err := etcd.NewSession(context.Background(), client, etcd.WithTTL(10*time.Second))
	if err != nil {
		log.Fatal(err)
	}
	return session, func() {
		_ = session.Close(context.Background())
		_ = client.Close()
		srv.Close()
	}
}

func Example() {
	session, end := exampleSession()
	defer end()
	ctx := context.Background()

	e := election.New(session, "scheduler")
	term, err := e.Campaign(ctx, []byte("host-7")) // waits its turn; ctx's deadline is the timeout
	if err != nil {
		log.Fatal(err)
	}
	// Work under term.Context(): it ends when the leadership is lost.
	leader, err := e.Leader(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s leads: %t\n", leader.Value, term.Err() == nil)
	if err := term.Resign(ctx); err != nil {
		log.Fatal(err)
	}
	_, err = e.Leader(ctx)
	fmt.Println(errors.Is(err, election.ErrVacant), term.Err())
	// Output:
	// host-7 leads: true
	// true resigned
}

func ExampleElection_Run() {
	session, end := exampleSession()
	defer end()
	e := election.New(session, "scheduler")
	err := e.Run(context.Background(), []byte("host-7"), func(ctx context.Context, t *election.Term) error {
		// ctx ends with Run's and when the leadership is lost; Run then waits for
		// this function to return, and campaigns again.
		fmt.Println("leading:", ctx.Err() == nil)
		return nil // enough: Run resigns and returns
	}, election.OnStopped(func(t *election.Term, cause error) {
		fmt.Println("stopped:", cause)
	}))
	fmt.Println(err)
	// Output:
	// leading: true
	// stopped: <nil>
	// <nil>
}

func ExampleElection_Observe() {
	session, end := exampleSession()
	defer end()
	ctx := context.Background()
	e := election.New(session, "scheduler")
	term, err := e.Campaign(ctx, []byte("host-7"))
	if err != nil {
		log.Fatal(err)
	}
	for ev, err := range e.Observe(ctx) {
		if err != nil {
			log.Fatal(err) // the last thing it yields
		}
		fmt.Printf("%v %s\n", ev.Kind, ev.Leader.Value)
		switch ev.Kind {
		case election.Elected:
			err = term.Proclaim(ctx, []byte("host-7:8080"))
		case election.Proclaimed:
			err = term.Resign(ctx)
		case election.Vacant:
			return
		}
		if err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// elected host-7
	// proclaimed host-7:8080
	// vacant
}

func ExampleTerm_Guard() {
	session, end := exampleSession()
	defer end()
	ctx := context.Background()
	term, err := election.New(session, "scheduler").Campaign(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	write := func() bool {
		r, err := session.Client().Txn(ctx, etcd.Txn{
			If:   []etcd.Cmp{term.Guard()},
			Then: []etcd.Op{etcd.Put("schedule", []byte("7 o'clock"))},
		})
		return err == nil && r.Succeeded
	}
	fmt.Println("while leading:", write())
	_ = term.Resign(ctx)
	fmt.Println("afterwards:", write())
	// Output:
	// while leading: true
	// afterwards: false
}

func ExampleWithHealthCheck() {
	session, end := exampleSession()
	defer end()
	ctx := context.Background()
	healthy := true
	term, err := election.New(session, "scheduler", election.WithHealthCheck(election.HealthCheck{
		Check: func(context.Context) error {
			if healthy {
				healthy = false // for the next time
				return nil
			}
			return errors.New("the disk is full")
		},
		Every: 10 * time.Millisecond,
	})).Campaign(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	<-term.Context().Done()
	fmt.Println(context.Cause(term.Context()))
	err = term.Resign(ctx) // the next in line leads
	fmt.Println(errors.Is(err, election.ErrUnhealthy))
	// Output:
	// unhealthy: the disk is full
	// true
}

func ExampleTerm_Transfer() {
	session, end := exampleSession()
	defer end()
	ctx := context.Background()
	e := election.New(session, "scheduler")
	term, err := e.Campaign(ctx, []byte("old"))
	if err != nil {
		log.Fatal(err)
	}
	next := make(chan *election.Term)
	go func() { // in another process, as a rule
		t, err := e.Campaign(ctx, []byte("new"))
		if err != nil {
			log.Fatal(err)
		}
		next <- t
	}()
	for {
		waiting, err := e.Candidates(ctx)
		if err != nil {
			log.Fatal(err)
		}
		if len(waiting) > 0 {
			if err := term.Transfer(ctx, waiting[0]); err != nil {
				log.Fatal(err)
			}
			break
		}
		time.Sleep(time.Millisecond)
	}
	t := <-next
	fmt.Println(errors.Is(term.Err(), election.ErrTransferred), t.Err(), t.Token() > term.Token())
	_ = t.Resign(ctx)
	// Output:
	// true <nil> true
}
