// Command bench measures quorate beside etcd's own Go client, in one run,
// against the same embedded etcd.
//
//	go run ./integration/bench            # every scenario, as a table
//	go run ./integration/bench -quick     # the same in under a minute
//	go run ./integration/bench -run put-128,get-1 -json
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/pprof"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	quick := fs.Bool("quick", false, "fewer and shorter rounds: the whole in under a minute")
	only := fs.String("run", "", "comma-separated names of the scenarios to run (default all)")
	asJSON := fs.Bool("json", false, "print JSON instead of a table")
	alone := fs.Bool("ours", false, "leave the peers out, for profiling")
	profile := fs.String("cpuprofile", "", "write CPU profiles to this file (the clients) and to this file with .server behind its name")
	members := fs.Int("members", 1, "members of the embedded cluster: 1 or 3")
	asServer := fs.Bool("serve", false, "be the server (the bench starts itself so)")
	at := fs.String("endpoints", "", "measure against these endpoints instead of an embedded etcd")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if *asServer {
		if *profile != "" {
			stop, err := startProfile(*profile)
			if err != nil {
				return err
			}
			defer stop()
		}
		return serve(ctx, *members)
	}
	todo, err := choose(*only)
	if err != nil {
		return err
	}
	p := plan{rounds: 5, round: 2 * time.Second, warm: time.Second}
	if *quick {
		p = plan{rounds: 3, round: 700 * time.Millisecond, warm: 300 * time.Millisecond}
	}
	endpoints := strings.Split(*at, ",")
	if *at == "" {
		var stop func() error
		if endpoints, stop, err = startServer(ctx, *members, *profile); err != nil {
			return err
		}
		defer stop()
	}
	if *profile != "" {
		stop, err := startProfile(*profile)
		if err != nil {
			return err
		}
		defer stop()
	}
	var rows []row
	for _, s := range todo {
		fmt.Fprintf(os.Stderr, "%s ...\n", s.name)
		if *alone {
			s.peer = nil
		}
		r, err := s.measure(ctx, endpoints, p)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		rows = append(rows, r)
	}
	if *asJSON {
		return printJSON(os.Stdout, rows)
	}
	return printTable(os.Stdout, rows)
}

func startProfile(file string) (stop func(), err error) {
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		f.Close()
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		f.Close()
	}, nil
}

func choose(only string) ([]scenario, error) {
	if only == "" {
		return scenarios, nil
	}
	var out []scenario
	for _, name := range strings.Split(only, ",") {
		found := false
		for _, s := range scenarios {
			if s.name == name {
				out, found = append(out, s), true
			}
		}
		if !found {
			return nil, fmt.Errorf("there is no scenario %q", name)
		}
	}
	return out, nil
}
