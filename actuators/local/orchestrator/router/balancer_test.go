package router

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWeightedIsExactAndSmooth(t *testing.T) {
	a, b := &balancer{}, &balancer{}
	w := &weightedBackends{backends: []weightedBackend{{balancer: a, weight: 3}, {balancer: b, weight: 1}, {balancer: &balancer{}, weight: 0}}}
	got := ""
	for range 8 {
		switch to, _, _ := w.next(); to {
		case a:
			got += "a"
		case b:
			got += "b"
		}
	}
	require.Equal(t, "aabaaaba", got)
	_, _, some := (&weightedBackends{backends: []weightedBackend{{balancer: a}}}).next()
	require.False(t, some)
}
