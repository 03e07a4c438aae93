//go:build unix

package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func ignoreTerm() { signal.Ignore(syscall.SIGTERM) }

func group() int { return syscall.Getpgrp() }

// reportSignals prints the signals it gets and ends with the one that asks to.
func reportSignals() int {
	ch := make(chan os.Signal, 16)
	signal.Notify(ch, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2,
		syscall.SIGWINCH, syscall.SIGTERM)
	fmt.Println("ready", os.Getpid())
	for s := range ch {
		fmt.Println("signal", s)
		if s == syscall.SIGTERM {
			break
		}
	}
	return 3
}
