package main

import (
	"context"
	"os/signal"
	"syscall"
)

// signals is a context that ends with SIGINT or SIGTERM.
func signals() context.Context {
	ctx, _ := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	return ctx
}
