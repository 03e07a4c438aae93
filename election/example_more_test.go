package election_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/quorate/quorate/election"
	"github.com/quorate/quorate/etcd"
)

// candidacy has somebody stand for election until it leads, and waits until it is in
// the line.
func candidacy(ctx context.Context, e *election.Election, value string) <-chan *election.Term {
	leads := make(chan *election.Term, 1)
	go func() {
		t, err := e.Campaign(ctx, []byte(value))
		if err != nil {
			log.Fatal(err)
		}
		leads <- t
	}()
	for {
		waiting, err := e.Candidates(ctx)
		if err != nil {
			log.Fatal(err)
		}
		for _, c := range waiting {
			if string(c.Value) == value {
				return leads
			}
		}
	}
}

// An operator asks the leader to hand over, and the leader does when its work has
// stopped. Run does so by itself.
func ExampleAsk() {
	session, end := exampleSession()
	defer end()
	ctx := context.Background()
	e := election.New(session, "scheduler")
	term, err := e.Campaign(ctx, []byte("old"))
	if err != nil {
		log.Fatal(err)
	}
	next := candidacy(ctx, e, "new")

	// The operator, who needs no session:
	state, err := election.Look(ctx, session.Client(), "scheduler")
	if err != nil {
		log.Fatal(err)
	}
	if err := election.Ask(ctx, session.Client(), "scheduler", *state.Leader, state.Candidates[0]); err != nil {
		log.Fatal(err)
	}

	// The leader:
	wish, err := term.Request(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("still leading:", term.Err() == nil)
	if err := term.Transfer(ctx, wish.To); err != nil {
		log.Fatal(err)
	}
	t := <-next
	fmt.Printf("%s leads\n", t.Value())
	_ = t.Resign(ctx)
	// Output:
	// still leading: true
	// new leads
}

// An operator takes the leadership from a leader that does not listen.
func ExampleDepose() {
	session, end := exampleSession()
	defer end()
	ctx := context.Background()
	e := election.New(session, "scheduler")
	term, err := e.Campaign(ctx, []byte("deaf"))
	if err != nil {
		log.Fatal(err)
	}
	next := candidacy(ctx, e, "new")
	state, err := e.State(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if err := election.Depose(ctx, session.Client(), "scheduler", *state.Leader, state.Candidates[0]); err != nil {
		log.Fatal(err)
	}
	t := <-next
	<-term.Context().Done()
	fmt.Println(errors.Is(term.Err(), election.ErrDeposed), t.Token() > term.Token())
	_ = t.Resign(ctx)
	// Output: true true
}

func ExampleAll() {
	session, end := exampleSession()
	defer end()
	ctx := context.Background()
	for _, name := range []string{"scheduler", "mailer"} {
		e := election.New(session, name, election.WithMetadata(map[string]string{"zone": "b"}))
		if _, err := e.Campaign(ctx, []byte("host-7")); err != nil {
			log.Fatal(err)
		}
	}
	for state, err := range election.All(ctx, session.Client()) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: %s in zone %s\n", state.Name, state.Leader.Value, state.Leader.Metadata["zone"])
	}
	// Output:
	// mailer: host-7 in zone b
	// scheduler: host-7 in zone b
}

// Below a raw prefix candidates stand in one line with those of etcd's own Go client.
func ExampleWithPrefix() {
	session, end := exampleSession()
	defer end()
	ctx := context.Background()
	// What concurrency.NewElection(session, "elections/scheduler").Campaign does:
	lease, err := session.Client().Grant(ctx, session.TTL())
	if err != nil {
		log.Fatal(err)
	}
	native := "elections/scheduler/" + lease.ID.String()
	if _, err := session.Client().Put(ctx, native, []byte("native"), etcd.WithLease(lease.ID)); err != nil {
		log.Fatal(err)
	}

	e := election.New(session, "scheduler", election.WithPrefix("elections/scheduler"))
	next := candidacy(ctx, e, "ours")
	leader, err := e.Leader(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s leads\n", leader.Value)
	if err := session.Client().Revoke(ctx, lease.ID); err != nil { // it dies
		log.Fatal(err)
	}
	t := <-next
	fmt.Printf("%s leads\n", t.Value())
	_ = t.Resign(ctx)
	// Output:
	// native leads
	// ours leads
}
