package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// helpers are those that only some systems have.
var helpers = map[string]func(args []string) int{}

// helper is one of the programs that the tests have quorate run. It says on
// standard output, a line each, what the tests wait for.
func helper(name string, args []string) int {
	if h := helpers[name]; h != nil {
		return h(args)
	}
	switch name {
	case "exit":
		n, _ := strconv.Atoi(args[0])
		return n
	case "env":
		for _, v := range args {
			fmt.Printf("%s=%s\n", v, os.Getenv(v))
		}
	case "etcdctl-env":
		for _, kv := range os.Environ() {
			if strings.HasPrefix(kv, "ETCDCTL_") {
				fmt.Println(kv)
			}
		}
	case "copy": // standard input to output
		_, _ = io.Copy(os.Stdout, os.Stdin)
		fmt.Fprintln(os.Stderr, "copied")
	case "read": // lines from standard input, until "quit"
		fmt.Println("ready")
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			if in.Text() == "quit" {
				return 0
			}
			fmt.Println("read", in.Text())
		}
	case "job": // what it is to do
		payload, _ := io.ReadAll(os.Stdin)
		fmt.Printf("%s %s %q\n", os.Getenv("QUORATE_QUEUE"), os.Getenv("QUORATE_ATTEMPT"), payload)
	case "job-size": // how much it is, if it begins with the right letter
		first := make([]byte, 1)
		_, _ = io.ReadFull(os.Stdin, first)
		if string(first) != args[0] {
			fmt.Println("not read")
			return 0
		}
		n, _ := io.Copy(io.Discard, os.Stdin)
		fmt.Println(n + 1)
	case "job-fails":
		fmt.Fprintln(os.Stderr, args[1])
		n, _ := strconv.Atoi(args[0])
		return n
	case "job-waits": // until a file is there
		fmt.Println("ready")
		for {
			if _, err := os.Stat(args[0]); err == nil {
				return 0
			}
			time.Sleep(5 * time.Millisecond)
		}
	case "job-group": // tells a witness in which group it runs
		conn, err := net.Dial("tcp", args[0])
		if err != nil {
			return 1
		}
		fmt.Fprintln(conn, pidAndGroup())
		conn.Close()
	case "wait": // for ever
		fmt.Println("ready", os.Getpid())
		select {}
	case "stubborn": // for ever, and deaf
		ignoreTerm()
		return testify(args[0], io.Discard)
	case "tree": // the same with a child in the same group
		child := exec.Command(os.Args[0], asHelper, "stubborn", args[0])
		if err := child.Start(); err != nil {
			fmt.Println(err)
			return 1
		}
		ignoreTerm()
		return testify(args[0], io.Discard)
	case "leave-behind": // ends when what it started has testified, and that goes on
		child := exec.Command(os.Args[0], asHelper, "child-of-it", args[0])
		out, err := child.StdoutPipe()
		if err == nil {
			err = child.Start()
		}
		if err != nil {
			fmt.Println(err)
			return 1
		}
		_, _ = out.Read(make([]byte, 1))
	case "child-of-it":
		return testify(args[0], os.Stdout)
	case "signals":
		return reportSignals()
	}
	return 0
}

func pidAndGroup() string { return fmt.Sprint(os.Getpid(), " ", group()) }
