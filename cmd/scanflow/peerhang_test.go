package main

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A peer that takes a connection and never answers holds up neither the agents nor the
// end of the process, and what was for it is kept.
func TestAPeerThatHangsHoldsUpNothing(t *testing.T) {
	l := newLine(t, 3, 1, 100*time.Millisecond)
	hung, err := net.Listen("tcp", l.eastAt)
	require.NoError(t, err)
	connected := make(chan struct{}, 100)
	go func() {
		for {
			c, err := hung.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = c.Close() })
			connected <- struct{}{}
		}
	}()
	west := l.west()
	select {
	case <-connected:
	case <-time.After(20 * time.Second):
		require.FailNow(t, "nothing was delivered")
	}
	west.metric(`outcome="done",primitive="event.send",strategy="t.ask"} 3`)
	began := time.Now()
	west.stop()
	require.Less(t, time.Since(began), 5*time.Second, "what is under way is cut off")
	require.NoError(t, hung.Close())

	east := l.east()
	west = l.west()
	require.Eventually(t, func() bool { return len(l.done()) == 3 }, 30*time.Second, 10*time.Millisecond)
	west.stop()
	east.stop()
}
