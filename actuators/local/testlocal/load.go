package testlocal

import (
	"context"
	"sync"
	"sync/atomic"
)

// Load sends requests from many clients until stop is called, which returns how many were
// answered and what went wrong.
func Load(clients int, url string) (stop func() (answered int64, wrong []string)) {
	ctx, cancel := context.WithCancel(context.Background())
	var answered atomic.Int64
	var mu sync.Mutex
	var wrong []string
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for ctx.Err() == nil {
				status, body, err := Get(url)
				if err != nil || status != 200 {
					mu.Lock()
					wrong = append(wrong, body)
					if err != nil {
						wrong = append(wrong, err.Error())
					}
					mu.Unlock()
				}
				answered.Add(1)
			}
		})
	}
	return func() (int64, []string) {
		cancel()
		all.Wait()
		return answered.Load(), wrong
	}
}
