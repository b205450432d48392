package peers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/redact"
)

const (
	// pollEvery is the pause between two requests to a peer, pollTimeout bounds one.
	pollEvery   = time.Second
	pollTimeout = 5 * time.Second
	// firstTimeout bounds the first request to each peer, which the start waits for.
	firstTimeout = time.Second
	// warnAfter is the number of failed requests in a row from which they are logged: a peer may
	// be restarting, or its replica may be a standby.
	warnAfter = 3
	// largestAnswer bounds an answer, in bytes.
	largestAnswer = 8 << 20
)

// Claims polls the peers for what their agents hold, so that the agents of this process
// leave those targets alone. The last known claims of a peer that does not answer stay,
// each until it ends: the acts of that peer may still be running.
type Claims struct {
	peers Options
	http  *http.Client
	clock engine.Clock
	log   hclog.Logger

	mu       sync.Mutex
	byPeer   map[string][]engine.HeldClaim
	byTarget atomic.Pointer[map[engine.TargetID][]engine.HeldClaim]

	stop context.CancelFunc
	work sync.WaitGroup
}

// NewClaims makes a poller that sends nothing before Start.
func NewClaims(o Options, transport http.RoundTripper, clock engine.Clock, log hclog.Logger) *Claims {
	c := &Claims{
		peers: o, clock: clock, log: log.Named("peers"), byPeer: map[string][]engine.HeldClaim{}, stop: func() {},
		http: &http.Client{
			Transport: transport,
			// A redirect would send the token to an address that nobody named.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	c.byTarget.Store(&map[engine.TargetID][]engine.HeldClaim{})
	return c
}

// Start polls each peer once, and goes on polling in the background until Close.
func (c *Claims) Start(ctx context.Context) {
	first, cancel := context.WithTimeout(ctx, firstTimeout)
	defer cancel()
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.stop = stop
	var polled sync.WaitGroup
	for _, peer := range c.peers.URLs {
		polled.Add(1)
		c.work.Go(func() {
			failures := c.poll(first, peer, 0)
			polled.Done()
			for engine.Sleep(running, c.clock, pollEvery) {
				one, cancel := context.WithTimeout(running, pollTimeout)
				failures = c.poll(one, peer, failures)
				cancel()
			}
		})
	}
	polled.Wait()
}

// Close stops polling and waits for it to end.
func (c *Claims) Close() {
	c.stop()
	c.work.Wait()
	c.http.CloseIdleConnections()
}

// ByTarget returns the last known claims of the peers. Callers must not change them.
func (c *Claims) ByTarget() map[engine.TargetID][]engine.HeldClaim { return *c.byTarget.Load() }

// List returns the same sorted, without the claims that have ended.
func (c *Claims) List() []engine.HeldClaim {
	now := c.clock.Now()
	var out []engine.HeldClaim
	for _, claims := range c.ByTarget() {
		for _, one := range claims {
			if one.Until.After(now) {
				out = append(out, one)
			}
		}
	}
	slices.SortFunc(out, func(x, y engine.HeldClaim) int {
		return cmp.Or(cmp.Compare(x.Peer, y.Peer), cmp.Compare(x.Target, y.Target), cmp.Compare(x.Claim, y.Claim))
	})
	return out
}

// poll fetches the claims of a peer and stores them. It takes and returns the number of
// failures in a row, and logs when a peer stops and starts to answer.
func (c *Claims) poll(ctx context.Context, peer string, failures int) int {
	claims, err := c.fetch(ctx, peer)
	if err != nil {
		if failures++; failures == warnAfter {
			c.log.Warn("a peer does not say what its agents hold; what it was last heard to hold counts", "peer", redact.URL(peer), "error", err)
		}
		return failures
	}
	if failures >= warnAfter {
		c.log.Info("a peer says what its agents hold again", "peer", redact.URL(peer))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range claims { // the peer's clock may be ahead of ours
		claims[i] = claims[i].Rebase(c.clock.Now())
	}
	c.byPeer[peer] = claims
	all := map[engine.TargetID][]engine.HeldClaim{}
	for _, from := range slices.Sorted(maps.Keys(c.byPeer)) {
		for _, one := range c.byPeer[from] {
			all[one.On()] = append(all[one.On()], one)
		}
	}
	c.byTarget.Store(&all)
	return 0
}

func (c *Claims) fetch(ctx context.Context, peer string) ([]engine.HeldClaim, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(peer, "/")+ClaimsPath, nil)
	if err != nil {
		return nil, errors.New("the address is no URL")
	}
	authorization, err := c.peers.Authorization()
	if err != nil {
		return nil, err
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	req.Header.Set("Accept", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, redact.WithoutURL(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answers %s", resp.Status)
	}
	claims, err := readClaims(io.LimitReader(resp.Body, largestAnswer), redact.URL(peer))
	if err != nil {
		return nil, fmt.Errorf("its answer is no list of claims: %w", err)
	}
	return claims, nil
}
