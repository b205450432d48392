package processnode

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"syscall"
)

// nodePort is the port of a node on the first address of its block. Listening there
// reserves the block: it fails for any other node, until the process ends.
const nodePort = 10650

const (
	blocksIn  = 10 // the prefix length of 127.64.0.0/10, which has the blocks
	blockBits = 20
)

// addressPool allocates the addresses of a node's block to pods.
type addressPool struct {
	block    netip.Prefix
	host     netip.Addr
	listener net.Listener

	mu        sync.Mutex
	allocated map[netip.Addr]bool
	last      netip.Addr
}

// claimPool reserves the block, or a free one if it is the zero value. It prefers the same
// free block for the same name, so that a node's pods keep their addresses.
func claimPool(ctx context.Context, block netip.Prefix, name string) (*addressPool, error) {
	if block.IsValid() {
		a, err := claimBlock(ctx, block)
		if errors.Is(err, syscall.EADDRINUSE) {
			return nil, fmt.Errorf("claim the addresses %s: another node on this machine has them; give it others, or none", block)
		}
		return a, err
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	const count = 1 << (blockBits - blocksIn)
	for i := range uint32(count) {
		at := (h.Sum32() + i) % count
		var raw [4]byte
		binary.BigEndian.PutUint32(raw[:], 127<<24|64<<16|at<<(32-blockBits))
		a, err := claimBlock(ctx, netip.PrefixFrom(netip.AddrFrom4(raw), blockBits))
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		return a, err
	}
	return nil, fmt.Errorf("claim addresses: all %d blocks of 127.64.0.0/%d are other nodes', or something listens on port %d of every address", count, blocksIn, nodePort)
}

func claimBlock(ctx context.Context, block netip.Prefix) (*addressPool, error) {
	block = block.Masked()
	host := block.Addr().Next()
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(host.String(), strconv.Itoa(nodePort)))
	if err != nil {
		return nil, fmt.Errorf("claim the addresses %s: %w", block, err)
	}
	return &addressPool{block: block, host: host, listener: l, allocated: map[netip.Addr]bool{host: true}, last: host}, nil
}

// allocate returns the preferred address if it is free, or the next free one after the
// last allocated one, so that clients of an ended pod don't reach another pod soon.
func (a *addressPool) allocate(preferred string) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if ip, err := netip.ParseAddr(preferred); err == nil && a.block.Contains(ip) && !a.allocated[ip] {
		a.allocated[ip] = true
		return ip.String(), nil
	}
	ip := a.last
	for range 1 << (32 - a.block.Bits()) {
		if ip = ip.Next(); !a.block.Contains(ip) {
			ip = a.host
		}
		if !a.allocated[ip] {
			a.allocated[ip], a.last = true, ip
			return ip.String(), nil
		}
	}
	return "", fmt.Errorf("every address of %s is a pod's", a.block)
}

func (a *addressPool) release(ip string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if addr, err := netip.ParseAddr(ip); err == nil && addr != a.host {
		delete(a.allocated, addr)
	}
}
