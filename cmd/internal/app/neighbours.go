package app

import (
	"cmp"
	"context"
	"encoding/json"
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
	// ClaimsPath is where a peer says what its agents hold.
	ClaimsPath = "/v1/peer/claims"
	// claimsEvery is the pause between two questions to a peer, claimsDeadline bounds one.
	claimsEvery    = time.Second
	claimsDeadline = 5 * time.Second
	// claimsFirst bounds the first question to all of them, which the agents' start waits for.
	claimsFirst = time.Second
	// claimsMisses is how many questions in a row go unanswered before that is told: a
	// peer may be starting anew, or its replica stand by.
	claimsMisses = 3
	// claimsBytes bounds an answer.
	claimsBytes = 8 << 20
)

// neighbours know what the agents of the peers hold, so that those here keep off it. A
// peer that does not answer holds on to what it was last heard to hold, each claim up
// to its end: its acts may well go on.
type neighbours struct {
	peers  []string // base URLs
	http   *http.Client
	header func() (string, error)
	clock  engine.Clock
	log    hclog.Logger

	mu    sync.Mutex
	heard map[string][]engine.HeldClaim // by peer
	held  atomic.Pointer[map[engine.TargetID][]engine.HeldClaim]

	stop context.CancelFunc
	work sync.WaitGroup
}

func newNeighbours(o MailOptions, header func() (string, error), transport http.RoundTripper, clock engine.Clock, log hclog.Logger) *neighbours {
	n := &neighbours{
		peers: o.Peers, header: header, clock: clock, log: log.Named("peers"), heard: map[string][]engine.HeldClaim{},
		http: &http.Client{
			Transport: transport,
			// A redirect would carry the token to an address that nobody named.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	n.held.Store(&map[engine.TargetID][]engine.HeldClaim{})
	return n
}

// start asks each peer, and goes on asking until close.
func (n *neighbours) start(ctx context.Context) {
	first, cancel := context.WithTimeout(ctx, claimsFirst)
	defer cancel()
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	n.stop = stop
	var asked sync.WaitGroup
	for _, peer := range n.peers {
		asked.Add(1)
		n.work.Go(func() {
			misses := n.ask(first, peer, 0)
			asked.Done()
			n.follow(running, peer, misses)
		})
	}
	asked.Wait()
}

func (n *neighbours) close() {
	if n.stop != nil {
		n.stop()
	}
	n.work.Wait()
	n.http.CloseIdleConnections()
}

// all is what the peers' agents hold, as last heard, by target. Nobody changes it.
func (n *neighbours) all() map[engine.TargetID][]engine.HeldClaim { return *n.held.Load() }

// list is all, for a person: in order, without what has ended.
func (n *neighbours) list() []engine.HeldClaim {
	now := n.clock.Now()
	var out []engine.HeldClaim
	for _, claims := range n.all() {
		for _, c := range claims {
			if c.Until.After(now) {
				out = append(out, c)
			}
		}
	}
	slices.SortFunc(out, func(x, y engine.HeldClaim) int {
		return cmp.Or(cmp.Compare(x.Peer, y.Peer), cmp.Compare(x.Target, y.Target), cmp.Compare(x.Claim, y.Claim))
	})
	return out
}

// follow asks a peer again and again; misses is how often it has not answered by now.
func (n *neighbours) follow(ctx context.Context, peer string, misses int) {
	for {
		pause, giveBack := n.clock.Timer(claimsEvery)
		select {
		case <-ctx.Done():
			giveBack()
			return
		case <-pause:
		}
		one, cancel := context.WithTimeout(ctx, claimsDeadline)
		misses = n.ask(one, peer, misses)
		cancel()
	}
}

// ask takes in what a peer says, and tells where it begins or ends to say nothing. It
// returns how often the peer has not answered since it last did.
func (n *neighbours) ask(ctx context.Context, peer string, misses int) int {
	claims, err := n.get(ctx, peer)
	if err != nil {
		if misses++; misses == claimsMisses {
			n.log.Warn("a peer does not say what its agents hold; what it was last heard to hold counts", "peer", redact.URL(peer), "error", err)
		}
		return misses
	}
	if misses >= claimsMisses {
		n.log.Info("a peer says what its agents hold again", "peer", redact.URL(peer))
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range claims { // a peer's clock may be ahead, and it may end before it is set right
		claims[i] = claims[i].Upcoming(n.clock.Now())
	}
	n.heard[peer] = claims
	all := map[engine.TargetID][]engine.HeldClaim{}
	for _, from := range slices.Sorted(maps.Keys(n.heard)) {
		for _, c := range n.heard[from] {
			all[c.On()] = append(all[c.On()], c)
		}
	}
	n.held.Store(&all)
	return 0
}

func (n *neighbours) get(ctx context.Context, peer string) ([]engine.HeldClaim, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(peer, "/")+ClaimsPath, nil)
	if err != nil {
		return nil, errors.New("the address is no URL")
	}
	authorization, err := n.header()
	if err != nil {
		return nil, err
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	req.Header.Set("Accept", "application/json")
	resp, err := n.http.Do(req)
	if err != nil {
		return nil, redact.WithoutURL(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answers %s", resp.Status)
	}
	claims, err := readClaims(io.LimitReader(resp.Body, claimsBytes), redact.URL(peer))
	if err != nil {
		return nil, fmt.Errorf("its answer is no list of claims: %w", err)
	}
	return claims, nil
}

// readClaims reads a peer's answer, one claim at a time: the first that is none ends it,
// before many have taken much memory.
func readClaims(from io.Reader, peer string) ([]engine.HeldClaim, error) {
	d := json.NewDecoder(from)
	begin, err := d.Token()
	if err != nil {
		return nil, err
	}
	if begin == nil { // an empty list, as some write it
		return nil, nothingMore(d)
	}
	if begin != json.Delim('[') {
		return nil, errors.New("it is not in brackets")
	}
	var claims []engine.HeldClaim
	for d.More() {
		var c engine.HeldClaim
		if err := d.Decode(&c); err != nil {
			return nil, err
		}
		if on := c.On(); on.Namespace == "" || on.Name == "" || c.Claim == "" {
			return nil, fmt.Errorf("claim %d lacks its target's namespace and name, or what is claimed", len(claims)+1)
		}
		c.Peer = peer
		claims = append(claims, c)
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	return claims, nothingMore(d)
}

// nothingMore fails where something follows what was read.
func nothingMore(d *json.Decoder) error {
	switch _, err := d.Token(); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	}
	return errors.New("something follows it")
}
