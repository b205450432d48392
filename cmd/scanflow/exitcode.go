package main

import (
	"errors"
	"fmt"
)

// exitCode is an error that sets the exit status and prints nothing.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// errSilent is an error with exit status 1 that prints nothing.
var errSilent = errors.New("")

// Exit statuses of `scanflow status`. 1 is that of every command: it could not be told.
const (
	exitUnhealthy = exitCode(2) // it decides and acts, and something is wrong
	exitNotReady  = exitCode(3) // nothing is decided or done; nobody leads
	exitNoAnswer  = exitCode(4) // no scanflow answers
)

// exitMalformed is the exit status of eval where a proposal can never act as it is.
const exitMalformed = 3

// Exit statuses that shells report for a program ended by SIGINT, SIGKILL and SIGTERM.
const (
	exitInterrupted = 128 + 2
	exitKilled      = 128 + 9
	exitTerminated  = 128 + 15
)
