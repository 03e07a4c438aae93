// Command bench measures quorate beside etcd's own Go client, in one run,
// against the same embedded etcd.
//
//	go run ./integration/bench                              # every scenario, as a table
//	go run ./integration/bench -quick                       # the same in under a minute
//	go run ./integration/bench -run put-128,get-1 -json     # some of them, as JSON
//	go run ./integration/bench -run put-4,get-500           # put-N and get-N: with N callers
//	go run ./integration/bench -members 3                   # against three members
//	go run ./integration/bench -json >run.json              # a saved run, and what is made of it:
//	go run ./integration/bench -chart run.json figures.svg
//	go run ./integration/bench -markdown run.json README.md # without a file: to standard output
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return
		}
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options is what the command line says.
type options struct {
	quick, json, ours, serve bool
	only, profile, at        string
	chart, markdown          string
	members                  int
	args                     []string
}

func parse(args []string, stderr io.Writer) (o options, err error) {
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.BoolVar(&o.quick, "quick", false, "fewer and shorter rounds: the whole in under a minute")
	fs.StringVar(&o.only, "run", "", "comma-separated names of the scenarios to run (default all)")
	fs.BoolVar(&o.json, "json", false, "print JSON instead of a table")
	fs.IntVar(&o.members, "members", 1, "members of the embedded cluster: 1 or 3")
	fs.StringVar(&o.at, "endpoints", "", "measure against these endpoints, separated by commas, instead of an embedded etcd")
	fs.StringVar(&o.chart, "chart", "", "run nothing, but draw the saved run in this file into the SVG file that follows")
	fs.StringVar(&o.markdown, "markdown", "", "run nothing, but print the saved run in this file as a table, or put it into the documents that follow")
	fs.BoolVar(&o.ours, "ours", false, "leave the peers out, for profiling")
	fs.StringVar(&o.profile, "cpuprofile", "", "write CPU profiles to this file (the clients) and to this file with .server behind its name")
	fs.BoolVar(&o.serve, "serve", false, "be the server (the bench starts itself so)")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	o.args = fs.Args()
	switch {
	case o.members != 1 && o.members != 3:
		return o, fmt.Errorf("-members is 1 or 3, not %d", o.members)
	case o.chart != "" && o.markdown != "":
		return o, errors.New("-chart and -markdown do not go together")
	case o.chart != "" && (len(o.args) != 1 || !strings.HasSuffix(o.args[0], ".svg")):
		return o, errors.New("-chart needs the name of one file to write, which ends in .svg")
	case o.chart == "" && o.markdown == "" && len(o.args) > 0:
		return o, fmt.Errorf("unexpected argument %q: scenarios are named by -run", o.args[0])
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	switch {
	case o.serve:
		return serveProfiled(ctx, o)
	case o.chart != "":
		rs, err := readRun(o.chart)
		if err != nil {
			return err
		}
		return drawChart(o.args[0], rs)
	case o.markdown != "":
		return document(stdout, o)
	}
	todo, err := choose(o.only)
	if err != nil {
		return err
	}
	rs, err := measureAll(ctx, o, todo, stderr)
	if err != nil && len(rs) == 0 {
		return err
	}
	show := printTable
	if o.json {
		show = printJSON
	}
	return errors.Join(show(stdout, rs), err) // what was measured is not lost with what was not
}

// document makes tables of a saved run.
func document(stdout io.Writer, o options) error {
	rs, err := readRun(o.markdown)
	if err != nil {
		return err
	}
	if len(o.args) == 0 {
		return printMarkdown(stdout, rs)
	}
	for _, file := range o.args {
		if err := fill(file, o.markdown, rs); err != nil {
			return err
		}
	}
	return nil
}

// measureAll runs the scenarios one after the other against one server.
func measureAll(ctx context.Context, o options, todo []scenario, stderr io.Writer) ([]result, error) {
	endpoints, members := strings.Split(o.at, ","), 0
	if o.at == "" {
		at, stop, err := startServer(ctx, o.members, o.profile)
		if err != nil {
			return nil, err
		}
		defer stop()
		endpoints, members = at, o.members
	}
	if o.profile != "" {
		stop, err := startProfile(o.profile)
		if err != nil {
			return nil, err
		}
		defer stop()
	}
	p := fullPlan
	begin := time.Now()
	if o.quick {
		p, ctx = quickPlan, asQuick(ctx)
	}
	var rs []result
	for i, s := range todo {
		fmt.Fprintf(stderr, "%s ...", s.name)
		started := time.Now()
		if o.ours {
			s.peer = nil
		}
		if o.quick {
			p.share = share(quickly-time.Since(begin), todo[i:])
		}
		r, err := s.measure(ctx, endpoints, p)
		fmt.Fprintf(stderr, " %.1fs\n", time.Since(started).Seconds())
		if err != nil {
			return rs, fmt.Errorf("%s: %w", s.name, err)
		}
		rs = append(rs, r.result(members))
	}
	return rs, nil
}
