// Package testpod is the program that tests run in their pods: an HTTP server with
// faults on demand. A test binary runs it when Role is set in its environment.
//
// It is for tests only and never linked into the product. Start reading at Main.
package testpod

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

// Role is the environment variable that makes a test binary run Main. Any value but ""
// does.
const Role = "SCANFLOW_TEST_POD"

// Main serves on $PORT of $POD_IP (default 127.0.0.1) and never returns. $SLOW_START
// delays the start, $DIE_AFTER exits with status 3 after that many requests, $IGNORE_TERM
// ignores SIGTERM, $EXIT exits at once with that status, $SPAWN starts a child that
// outlives the process, $ON_TERM names a file that is created on SIGTERM. Otherwise
// SIGTERM exits at once and cuts the requests in flight: a request survives a shutdown
// only if the orchestrator drained it.
func Main() {
	if code := os.Getenv("EXIT"); code != "" {
		os.Exit(number(code))
	}
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	go func() {
		for range term {
			if name := os.Getenv("ON_TERM"); name != "" {
				must(os.WriteFile(name, []byte("term"), 0o600))
			}
			if os.Getenv("IGNORE_TERM") == "" {
				os.Exit(0)
			}
		}
	}()
	if d := os.Getenv("SLOW_START"); d != "" {
		wait, err := time.ParseDuration(d)
		must(err)
		<-time.After(wait)
	}
	if os.Getenv("SPAWN") != "" {
		child := exec.CommandContext(context.Background(), "sleep", "600")
		must(child.Start())
		fmt.Println("spawned", child.Process.Pid)
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", net.JoinHostPort(cmp.Or(os.Getenv("POD_IP"), "127.0.0.1"), os.Getenv("PORT")))
	must(err)
	fmt.Println("listening on", l.Addr())
	must(http.Serve(l, handler()))
}

// handler serves / (the pod's name, after ?ms=N milliseconds), /cpus (its number of
// cores), /pid, /env (the variable ?name), /echo (the body), /stream (one line, then
// nothing until the client leaves), /sicken (makes /healthz fail), /hang (from then on / never
// answers, and /healthz does) and /exit (exits with status 4).
func handler() http.Handler {
	var served atomic.Int64
	var sick, hangs atomic.Bool
	dieAfter := number(os.Getenv("DIE_AFTER"))
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if n := served.Add(1); dieAfter > 0 && int(n) >= dieAfter {
			os.Exit(3)
		}
		if hangs.Load() {
			<-r.Context().Done()
			return
		}
		<-time.After(time.Duration(number(r.URL.Query().Get("ms"))) * time.Millisecond)
		_, _ = io.WriteString(w, os.Getenv("HOSTNAME"))
	})
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		if sick.Load() {
			http.Error(w, "sick", http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("/sicken", func(http.ResponseWriter, *http.Request) { sick.Store(true) })
	mux.HandleFunc("/hang", func(http.ResponseWriter, *http.Request) { hangs.Store(true) })
	mux.HandleFunc("/cpus", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, runtime.NumCPU()) })
	mux.HandleFunc("/pid", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, os.Getpid()) })
	mux.HandleFunc("/exit", func(http.ResponseWriter, *http.Request) { os.Exit(4) })
	mux.HandleFunc("/env", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, os.Getenv(r.URL.Query().Get("name")))
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body) // completely, because writing the response would end it
		if err == nil {
			_, _ = w.Write(body)
		}
	})
	mux.HandleFunc("/stream", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "first\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	return mux
}

func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
